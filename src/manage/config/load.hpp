// Reads configuration files. A daemon does:
//
//     auto loaded = config::load_gateway(files, path, &rules);
//     if (!loaded.is_runnable()) { print(loaded.refusal()); exit 2; }
//     if (!loaded.problems.empty()) print(loaded.text());              // warnings
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "manage/config/cloud_config.hpp"
#include "manage/config/gateway_config.hpp"
#include "manage/config/ports.hpp"
#include "manage/config/problem.hpp"

namespace sluice::env {
class FileSystem;
}

namespace sluice::config {

/// Larger files are refused unread. Ten thousand rules (rules::Limits) of 800 bytes each.
inline constexpr std::size_t kFileBytesMax = 8 * 1024 * 1024;

/// Problems of one file that are reported; who has more does not read them all.
inline constexpr std::size_t kProblemsMax = 200;

template <class Config>
struct Loaded {
    Config config;      ///< complete with defaults; to be used only if is_valid()
    Problems problems;  ///< in the order of the file
    [[nodiscard]] bool is_valid() const { return config::is_valid(problems); }
    [[nodiscard]] bool is_runnable() const { return config::is_runnable(problems); }
    [[nodiscard]] std::string text() const { return format_all(config.file, problems); }                 ///< what `check` prints
    [[nodiscard]] std::string refusal() const { return format_all(config.file, as_refusal(problems)); }  ///< what a daemon prints
};

enum class Tier : std::uint8_t { unknown, gateway, cloud };

/// By the top keys `gateway:` and `cloud:`; unknown where there is neither, both, or no YAML mapping.
[[nodiscard]] Tier tier_of(std::string_view text);

/// What `sluice check` says about a file of either tier.
struct Checked {
    Tier tier = Tier::unknown;  ///< of a file without its top key: the likelier one; unknown: it could not be read
    std::string file;
    std::string id;         ///< of the gateway or cloud
    std::size_t rules = 0;  ///< of a gateway
    std::string data;       ///< its data folder
    Problems problems;
};
[[nodiscard]] Checked check_file(env::FileSystem& files, const std::string& path, RuleChecker* rules, ListenerChecker* listeners = nullptr);

/// Reads the file and everything it names; never writes. Does not throw (but for lack of memory). Any thread; blocking.
/// `rules` may be null: then SQL is not looked at; `listeners`: certificates are not.
[[nodiscard]] Loaded<GatewayConfig> load_gateway(env::FileSystem& files, const std::string& path, RuleChecker* rules,
                                                 ListenerChecker* listeners = nullptr);
[[nodiscard]] Loaded<CloudConfig> load_cloud(env::FileSystem& files, const std::string& path, ListenerChecker* listeners = nullptr);

/// The same for a text in memory. `files` may be null: then files that it names are not looked for, and token files give no token.
[[nodiscard]] Loaded<GatewayConfig> read_gateway(std::string_view text, const std::string& file, env::FileSystem* files, RuleChecker* rules,
                                                 ListenerChecker* listeners = nullptr);
[[nodiscard]] Loaded<CloudConfig> read_cloud(std::string_view text, const std::string& file, env::FileSystem* files,
                                             ListenerChecker* listeners = nullptr);

struct LoadedRule {
    RuleConfig rule;    ///< to be used only if is_valid(problems)
    Problems problems;  ///< with places in the text
};
/// One rule that does not stand in the file: its keys as in `rules[]`, as JSON or YAML, with the same bounds and messages. SQL is not
/// looked at. `id`: which rule it is; the text need not say so.
[[nodiscard]] LoadedRule read_rule(std::string_view text, const std::string& id, const std::vector<ClassConfig>& classes);

/// The text behind a byte order mark, which some editors write.
[[nodiscard]] constexpr std::string_view without_mark(std::string_view text) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    return text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
}

/// The bytes of a file up to a limit. Errors: not_found, permission, io, too_large (longer than the limit).
[[nodiscard]] base::Result<std::string> read_text(env::FileSystem& files, const std::string& path, std::size_t limit);

}  // namespace sluice::config
