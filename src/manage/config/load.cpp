#include "manage/config/load.hpp"

#include <algorithm>
#include <array>
#include <type_traits>

#include <fmt/format.h>

#include "env/file_system.hpp"
#include "manage/config/document.hpp"
#include "manage/config/keys.hpp"
#include "manage/config/reader.hpp"
#include "manage/config/schema.hpp"
#include "manage/config/source.hpp"
#include "manage/config/suggest.hpp"
#include "manage/config/view.hpp"

namespace sluice::config {
namespace {

std::string folder_of(const std::string& file) {
    const std::size_t slash = file.find_last_of('/');
    if (slash == std::string::npos) return {};
    return slash == 0 ? "/" : file.substr(0, slash);
}

/// A file given to the wrong daemon: one plain sentence instead of a list of unknown keys.
bool is_of_other_tier(const Node& document, std::string_view own, std::string_view other, Problems& problems) {
    const Entry* entry = document.find(other);
    if (entry == nullptr || document.find(own) != nullptr) return false;
    add_error(
        problems, entry->key_at, entry->key,
        fmt::format("this is the configuration of a {}, and a {}'s was expected; it runs with `sluice {} -c FILE`", other, own, other));
    return true;
}

/// What both tiers do: document, schema, values, files. `values` is called with the root view where there is a document.
template <class Config, class Values>
Loaded<Config> read(std::string_view text, const std::string& file, env::FileSystem* files, std::span<const Key> keys, Values values) {
    Loaded<Config> out;
    out.config.file = file;
    if (text.size() > kFileBytesMax) {
        add_error(out.problems, {}, {}, fmt::format("the file has {} bytes: expected at most {}", text.size(), kFileBytesMax));
        return out;
    }
    const Source source(without_mark(text));
    const auto document = parse_document(source, out.problems);
    if (!document) return out;
    const bool gateway = std::is_same_v<Config, GatewayConfig>;
    if (is_of_other_tier(*document, gateway ? "gateway" : "cloud", gateway ? "cloud" : "gateway", out.problems)) return out;
    const SchemaNode schema = build_schema(keys);
    validate(*document, schema, out.problems);
    const ViewContext context{source, folder_of(file)};
    if (files != nullptr) check_files(*document, schema, context, *files, out.problems);
    out.config = values(View(context, schema, &*document, Position{}), out.problems);
    out.config.file = file;
    return out;
}

std::string why_unreadable(const base::Error& error) {
    switch (error.code) {
        case base::Errc::not_found:
            return "there is no such file; `sluice init` writes one to start from";
        case base::Errc::too_large:
            return fmt::format("larger than {} bytes: not a configuration", kFileBytesMax);
        default:
            return fmt::format("cannot be read: {}", base::describe(error));
    }
}

/// The tier that a file without `gateway:` and `cloud:` (or with both) was probably meant for.
Tier likely_tier(std::string_view text) {
    Problems ignored;
    const Source source(without_mark(text));
    const auto document = parse_document(source, ignored);
    if (!document || document->find("gateway") != nullptr) return Tier::gateway;
    constexpr std::array<std::string_view, 4> kOfClouds{"cloud", "store", "bus", "lake"};
    const bool cloud = std::any_of(document->entries.begin(), document->entries.end(),
                                   [&](const Entry& entry) { return !nearest(entry.key, kOfClouds).empty(); });
    return cloud ? Tier::cloud : Tier::gateway;
}

template <class Config, class Read>
Loaded<Config> load(env::FileSystem& files, const std::string& path, Read read_it) {
    auto text = read_text(files, path, kFileBytesMax);
    if (text) return read_it(*text);
    Loaded<Config> out;
    out.config.file = path;
    add_error(out.problems, {}, {}, why_unreadable(text.error()));
    return out;
}

}  // namespace

void bound(Problems& problems) {
    constexpr std::size_t kMessageBytesMax = 500;
    for (Problem& problem : problems) {
        problem.key = shortened(problem.key, kMessageBytesMax);
        problem.message = shortened(problem.message, kMessageBytesMax);
    }
    std::stable_sort(problems.begin(), problems.end(), is_before);
    if (problems.size() <= kProblemsMax) return;
    const auto rest = problems.begin() + static_cast<std::ptrdiff_t>(kProblemsMax);
    Problem last;
    last.at = rest->at;
    last.file = rest->file;
    last.message = fmt::format("and {} more problems from here on", problems.end() - rest);
    last.severity =
        std::min_element(rest, problems.end(), [](const Problem& a, const Problem& b) { return a.severity < b.severity; })->severity;
    last.not_built = std::any_of(rest, problems.end(), [](const Problem& problem) { return problem.not_built; });
    problems.erase(rest, problems.end());
    problems.push_back(std::move(last));
}

base::Result<std::string> read_text(env::FileSystem& files, const std::string& path, std::size_t limit) {
    auto file = files.open(path, env::OpenMode::read);
    if (!file) return file.error();
    // Read until the end and not by size(): the file may grow, and files of /proc have none.
    std::string text;
    constexpr std::size_t kChunk = 64 * 1024;
    while (text.size() <= limit) {
        const std::size_t at = text.size();
        text.resize(at + kChunk);
        auto got = (*file)->read_at(at, {reinterpret_cast<base::Byte*>(text.data()) + at, kChunk});
        if (!got) return got.error();
        text.resize(at + *got);
        if (*got == 0) return text;
    }
    return base::Error{base::Errc::too_large};
}

Tier tier_of(std::string_view text) {
    if (text.size() > kFileBytesMax) return Tier::unknown;
    Problems ignored;
    const Source source(without_mark(text));
    const auto document = parse_document(source, ignored);
    if (!document || document->kind != Node::Kind::map) return Tier::unknown;
    const bool gateway = document->find("gateway") != nullptr;
    const bool cloud = document->find("cloud") != nullptr;
    if (gateway == cloud) return Tier::unknown;
    return gateway ? Tier::gateway : Tier::cloud;
}

Checked check_file(env::FileSystem& files, const std::string& path, RuleChecker* rules, ListenerChecker* listeners) {
    Checked out;
    out.file = path;
    auto text = read_text(files, path, kFileBytesMax);
    if (!text) {
        add_error(out.problems, {}, {}, why_unreadable(text.error()));
        return out;
    }
    out.tier = tier_of(*text);
    if (out.tier == Tier::unknown) out.tier = likely_tier(*text);
    if (out.tier == Tier::cloud) {
        auto loaded = read_cloud(*text, path, &files, listeners);
        out.id = loaded.config.cloud.id;
        out.problems = std::move(loaded.problems);
    } else {
        auto loaded = read_gateway(*text, path, &files, rules, listeners);
        out.id = loaded.config.gateway.id;
        out.rules = loaded.config.rules.size();
        out.data = loaded.config.gateway.data.value;
        out.problems = std::move(loaded.problems);
    }
    return out;
}

Loaded<GatewayConfig> read_gateway(std::string_view text, const std::string& file, env::FileSystem* files, RuleChecker* rules,
                                   ListenerChecker* listeners) {
    auto out = read<GatewayConfig>(text, file, files, gateway_keys(),
                                   [&](const View& root, Problems& problems) { return read_gateway_values(root, files, problems); });
    if (rules != nullptr) rules->check(out.config, out.problems);
    if (listeners != nullptr) {
        listeners->check(out.config.listen, out.problems);
        listeners->check(out.config.bridges, out.problems);
        listeners->check(out.config.uplink, "uplink", out.problems);
        for (const NamedUplink& each : out.config.uplinks) listeners->check(each.uplink, "uplinks." + each.id, out.problems);
    }
    bound(out.problems);
    return out;
}

Loaded<CloudConfig> read_cloud(std::string_view text, const std::string& file, env::FileSystem* files, ListenerChecker* listeners) {
    auto out = read<CloudConfig>(text, file, files, cloud_keys(),
                                 [&](const View& root, Problems& problems) { return read_cloud_values(root, files, problems); });
    if (listeners != nullptr) listeners->check(out.config.listen, out.problems);
    bound(out.problems);
    return out;
}

Loaded<GatewayConfig> load_gateway(env::FileSystem& files, const std::string& path, RuleChecker* rules, ListenerChecker* listeners) {
    return load<GatewayConfig>(files, path, [&](const std::string& text) { return read_gateway(text, path, &files, rules, listeners); });
}

Loaded<CloudConfig> load_cloud(env::FileSystem& files, const std::string& path, ListenerChecker* listeners) {
    return load<CloudConfig>(files, path, [&](const std::string& text) { return read_cloud(text, path, &files, listeners); });
}

}  // namespace sluice::config
