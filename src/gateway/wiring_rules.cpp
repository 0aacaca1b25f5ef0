// The gateway's rules while it runs: a reload, and changes over HTTP.
#include <algorithm>

#include "gateway/wiring.hpp"

namespace sluice::gateway {
namespace {

constexpr int kQuietWaitMs = 3000;

}  // namespace

RuleOutcome Gateway::change(const RuleOrder& order) {
    const std::lock_guard guard(control_lock_);
    rule_book_.use_tables(tables_.tables());
    return rule_book_.change(order, [this](const auto& rules) { return force_rules(rules); });
}

std::shared_ptr<const Ruleset> Gateway::ruleset() {
    const std::lock_guard guard(control_lock_);
    return rule_book_.ruleset();
}

RuleListing Gateway::list(std::string_view search) {
    const std::lock_guard guard(control_lock_);
    return rule_book_.list(search);
}

std::optional<RuleListing> Gateway::find(const std::string& id) {
    const std::lock_guard guard(control_lock_);
    return rule_book_.find(id);
}

void Gateway::tell_shards(Command::Kind kind, const std::shared_ptr<const Ruleset>& rules) {
    for (const auto& box : commands_) {
        while (!box->push({kind, rules})) std::this_thread::yield();
    }
}

/// Between two versions of the rules nothing is evaluated: no reading meets both, and none is passed over. Sockets are not read meanwhile.
bool Gateway::force_rules(const std::shared_ptr<const Ruleset>& rules, const std::function<void()>& meanwhile) {
    tell_shards(Command::Kind::quiesce, nullptr);
    // A shard is quiet when nothing of its is under way on another.
    bool quiet = false;
    for (int waited_ms = 0; waited_ms < kQuietWaitMs && !quiet; ++waited_ms) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        quiet = std::all_of(shards_.begin(), shards_.end(),
                            [](const auto& shard) { return shard->gauges().quiet.load(std::memory_order_acquire); });
    }
    if (quiet && meanwhile) meanwhile();
    tell_shards(Command::Kind::swap_rules, quiet ? rules : rule_book_.ruleset());
    return quiet;
}

}  // namespace sluice::gateway
