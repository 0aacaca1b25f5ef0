// Which rules run: those of the configuration file under what was changed at run time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "gateway/rule_overlay.hpp"
#include "gateway/rule_overlay_store.hpp"
#include "gateway/ruleset.hpp"
#include "manage/config/gateway_config.hpp"
#include "manage/config/problem.hpp"

namespace sluice::gateway {

/// What somebody wants of a rule.
struct RuleOrder {
    enum class Kind : std::uint8_t { put, remove, revert, pause, resume };
    Kind kind = Kind::put;
    std::string id;
    std::string body{};  ///< of put: as config::read_rule() takes it
};

/// A mistake in what was put: where in the body, and where in the SQL if it is there.
struct RuleProblem {
    config::Problem problem;
    std::optional<config::Position> in_sql{};
};

struct RuleOutcome {
    enum class Status : std::uint8_t {
        done,
        created,
        unknown,    ///< there is no such rule
        wrong,      ///< see `problems`
        too_large,  ///< all changes together would be more than is kept
        storage,    ///< could not be written: nothing changed
        busy,       ///< the shards do not come to rest, because storage does not answer: nothing changed
    };
    Status status = Status::done;
    std::vector<RuleProblem> problems{};  ///< warnings, too
    std::string message{};
};

/// One rule, as it stands.
struct RuleRow {
    enum class State : std::uint8_t {
        running,
        paused,
        removed,   ///< the file has it, and it was removed at run time
        unusable,  ///< it was put at run time and cannot run (any more); the file has none of that name
    };
    std::string id;
    State state = State::running;
    RuleText text;                        ///< what runs, or would
    bool from_api = false;                ///< the text was put at run time
    std::optional<RuleText> file{};       ///< what the file says, where something else counts
    std::optional<RuleText> unusable{};   ///< what was put, where it cannot be used and the file's text counts
    std::vector<std::string> problems{};  ///< why
    std::optional<std::size_t> place{};   ///< in the ruleset
};

struct RuleListing {
    std::shared_ptr<const Ruleset> ruleset;
    std::vector<RuleRow> rows;  ///< those of the file in its order, then the others by name
};

/// One thread at a time. Blocks on the disk.
class RuleBook {
public:
    /// Makes all shards go over to other rules. False: not possible now, and they go on with those they had.
    using Force = std::function<bool(const std::shared_ptr<const Ruleset>&)>;

    /// `config` has been checked; it stays where it is, and a reload puts the new rules into it with take_file(). `catalog`: what their SQL
    /// can name.
    RuleBook(config::GatewayConfig& config, rules::Catalog catalog);

    /// What runs. nullptr after construction: the rules do not fit the catalog, whose files have changed since they were checked.
    [[nodiscard]] const std::shared_ptr<const Ruleset>& ruleset() const { return ruleset_; }
    /// Tables as they are by now, for changes.
    void use_tables(std::vector<rules::NamedTable> tables) { catalog_.tables = std::move(tables); }

    /// Before anything runs: takes what was changed in earlier runs; says in the log what that is. True: other rules than the file's.
    [[nodiscard]] bool open(std::unique_ptr<RuleOverlayStore> store);
    /// Other master keys from now on: what is on disk is sealed again if it needs an older one. What it needs then; none: nothing is kept.
    /// Errors: as RuleOverlayStore::save().
    [[nodiscard]] base::Result<std::optional<identity::KeyNumber>> use_keys(const identity::KeyRing& keys);
    /// On disk and in force when it returns done or created.
    [[nodiscard]] RuleOutcome change(const RuleOrder& order, const Force& force);
    /// Rules, classes and whatever else rules depend on, of a file that was read anew and checked. done; busy; wrong: the rules do not fit
    /// the catalog, whose files have changed since.
    [[nodiscard]] RuleOutcome::Status take_file(const config::GatewayConfig& config, rules::Catalog catalog, const Force& force);
    /// `search`: a part of the id.
    [[nodiscard]] RuleListing list(std::string_view search) const;
    [[nodiscard]] std::optional<RuleListing> find(const std::string& id) const;

private:
    struct Unusable {
        std::string id;
        std::vector<std::string> problems;
    };
    struct Merged {
        std::shared_ptr<const Ruleset> ruleset;  ///< nullptr: the file's own rules cannot be used
        std::vector<Unusable> unusable;
    };
    [[nodiscard]] static Merged merge(const RuleOverlay& overlay, const config::GatewayConfig& config, const rules::Catalog& catalog);
    [[nodiscard]] const config::RuleConfig* in_file(const std::string& id) const;
    [[nodiscard]] bool exists(const std::string& id) const;
    [[nodiscard]] RuleOutcome put(const RuleOrder& order, RuleOverlay& next) const;
    [[nodiscard]] RuleOutcome install(RuleOverlay&& next, const RuleOrder& order, const Force& force);
    [[nodiscard]] RuleRow row_of(const std::string& id, const config::RuleConfig* file, const RuleChange* change) const;
    void place_rows(std::vector<RuleRow>& rows) const;
    void tell() const;

    config::GatewayConfig& config_;
    rules::Catalog catalog_;
    std::unique_ptr<RuleOverlayStore> store_;
    RuleOverlay overlay_;
    std::vector<Unusable> unusable_;
    std::shared_ptr<const Ruleset> ruleset_;
};

}  // namespace sluice::gateway
