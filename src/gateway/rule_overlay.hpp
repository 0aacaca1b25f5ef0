// What was changed of the rules at run time: held above the configuration file, kept on disk (docs/formats/rule_changes.md).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {

/// Where rows go, as written: one of the two is set.
struct RuleTarget {
    std::string topic;
    std::string cloud;
    friend bool operator==(const RuleTarget&, const RuleTarget&) = default;
};

/// What one writes of a rule.
struct RuleText {
    std::string sql;
    std::vector<RuleTarget> to;
    std::uint64_t state_bytes_max = 0;  ///< 0: as the limits say
    bool forget_oldest = false;
    friend bool operator==(const RuleText&, const RuleText&) = default;
};
[[nodiscard]] RuleText text_of(const config::RuleConfig& rule);

/// What was changed of one rule.
struct RuleChange {
    enum class Kind : std::uint8_t {
        none,     ///< the file's text counts
        put,      ///< `text` counts
        removed,  ///< there is no such rule
    };
    Kind kind = Kind::none;
    bool paused = false;
    RuleText text{};
    std::optional<RuleText> over{};  ///< the file's text when it was put or removed; nothing: the file had no such rule
    friend bool operator==(const RuleChange&, const RuleChange&) = default;
};

/// Who spoke last about a rule is right: a change holds until the file says something else about that rule than it did when the change was
/// made, or the change is taken back. Pauses hold until they are ended. A value.
class RuleOverlay {
public:
    /// All changes together; what is beyond belongs into the file.
    static constexpr std::size_t kBytesMax = std::size_t{16} << 20;

    using FileRules = std::vector<config::RuleConfig>;

    [[nodiscard]] const std::map<std::string, RuleChange>& changes() const { return changes_; }
    [[nodiscard]] bool empty() const { return changes_.empty(); }
    [[nodiscard]] const RuleChange* find(const std::string& id) const;

    // `file`: its rule of that id, or nullptr.
    void put(const std::string& id, const config::RuleConfig* file, RuleText text);
    void remove(const std::string& id, const config::RuleConfig* file);
    void pause(const std::string& id, bool paused);
    /// Back to what the file says, running.
    void revert(const std::string& id) { changes_.erase(id); }

    /// Gives up what the file has overtaken, and pauses of rules that there are no more: their ids.
    [[nodiscard]] std::vector<std::string> reconcile(const FileRules& file);

    /// The rules that run: those of the file in its order, then the others by name. `without`: changes of text that cannot be used; the
    /// file's text counts there.
    [[nodiscard]] FileRules merge(const FileRules& file, const std::vector<config::ClassConfig>& classes,
                                  const std::vector<std::string>& without = {}) const;

    [[nodiscard]] base::Bytes encode() const;
    /// Errors: corrupt, version.
    [[nodiscard]] static base::Result<RuleOverlay> decode(base::ByteView bytes);

    friend bool operator==(const RuleOverlay&, const RuleOverlay&) = default;

private:
    void tidy(const std::string& id);
    std::map<std::string, RuleChange> changes_;
};

}  // namespace sluice::gateway
