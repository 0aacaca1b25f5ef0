// A shard's rules: taking over others, and telling what they did.
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "gateway/shard.hpp"

namespace sluice::gateway {
namespace {

/// Serialising this much state takes well under a millisecond of a shard's time.
constexpr std::size_t kSaveSliceBytes = 64 * 1024;

/// A rule that is full is named in the log this often, as long as it turns readings away.
constexpr std::chrono::seconds kTellFullEvery{60};
constexpr std::size_t kFullTold = 10;

}  // namespace

void Shard::use_rules(std::shared_ptr<const Ruleset> rules) {
    rules_ = std::move(rules);
    engine_ = std::make_unique<rules::Engine>(rules_->plan, options_.rules);
    tables_edition_ = 0;  // to be given to it
    router_ = router::Router(rules_->routes);
    full_before_.clear();
}

/// Rules whose SQL did not change keep their state: it goes through the saved form, which is matched by the SQL's fingerprint.
void Shard::swap_rules(std::shared_ptr<const Ruleset> rules, base::Monotonic now) {
    // Readings of other shards that were still under way may have closed windows.
    recording_ = options_.journal;
    while (engine_->draining()) engine_->on_time(now, wall(), *this);
    record_closed();
    base::append(held_wills_, std::exchange(derived_, {}));
    base::Bytes saved;
    rules::SaveCursor cursor;
    while (engine_->save_some(cursor, kSaveSliceBytes, now, wall(), saved)) {
    }
    keep_counters(*rules);
    use_rules(std::move(rules));
    // A wider plan can need more room than its limit leaves: the keys that do not fit warm up anew.
    if (const auto restored = engine_->restore(saved, now, wall()); !restored) {
        spdlog::warn("reload: some rule state was not kept: {}", base::describe(restored.error()));
    }
    closed_seen_ = engine_->windows_closed();
    // What the journal has so far was not for these rules.
    save_cursor_ = {};
    saving_ = save_whole_ = options_.journal;
}

/// An engine counts from its beginning, a rule for as long as it has its name.
void Shard::keep_counters(const Ruleset& next) {
    std::unordered_map<std::string_view, rules::RuleCounters> known;
    const auto counted = engine_->counters();
    for (std::size_t i = 0; i < counted.size(); ++i) {
        rules::RuleCounters sum = counted[i];
        if (i < counted_before_.size()) sum += counted_before_[i];
        known.emplace(rules_->plan->rules()[i].id, sum);
    }
    const rules::EngineCounters engine = engine_->totals();
    engine_before_.readings += engine.readings;
    engine_before_.matched += engine.matched;
    engine_before_.malformed += engine.malformed;
    engine_before_.forwarded += engine.forwarded;
    std::vector<rules::RuleCounters> kept;
    for (const rules::RuleInfo& rule : next.plan->rules()) {
        const auto found = known.find(rule.id);
        kept.push_back(found == known.end() ? rules::RuleCounters{} : found->second);
        if (found != known.end()) known.erase(found);
    }
    for (const auto& [id, sum] : known) counted_gone_ += sum;
    counted_before_ = std::move(kept);
}

void Shard::answer_about_rules() {
    for (std::shared_ptr<RuleQuery> query; links_.rule_questions->pop(query);) {
        if (query->about() != rules_) {
            query->answer(std::nullopt);
            continue;
        }
        const auto counted = engine_->counters();
        std::vector<RuleFigures> rows(counted.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            rows[i].counters = counted[i];
            if (i < counted_before_.size()) rows[i].counters += counted_before_[i];
            rows[i].state = engine_->state_of(i);
        }
        query->answer(rows);
    }
}

void Shard::publish_rule_gauges() {
    const auto put = [](std::atomic<std::uint64_t>& gauge, std::uint64_t value) { gauge.store(value, std::memory_order_relaxed); };
    const auto totals = engine_->totals();
    put(gauges_.readings, engine_before_.readings + totals.readings);
    put(gauges_.matched, engine_before_.matched + totals.matched);
    put(gauges_.malformed, engine_before_.malformed + totals.malformed);
    put(gauges_.forwarded, engine_before_.forwarded + totals.forwarded);
    put(gauges_.keys, totals.keys);
    put(gauges_.state_bytes, totals.state_bytes);
    rules::RuleCounters sum = counted_gone_;
    for (const rules::RuleCounters& rule : counted_before_) sum += rule;
    for (const rules::RuleCounters& rule : engine_->counters()) sum += rule;
    put(gauges_.bad_value, sum.bad_value);
    put(gauges_.late, sum.late);
    put(gauges_.state_full, sum.state_full);
    put(gauges_.keys_forgotten, sum.keys_forgotten);
    put(gauges_.windows_forgotten, sum.windows_forgotten);
    put(gauges_.rule_rows, sum.rows);
    const bool full = sum.state_full != full_told_.state_full || sum.keys_forgotten != full_told_.keys_forgotten;
    if (full && now_ >= tell_full_at_) tell_full(sum);
}

void Shard::tell_full(const rules::RuleCounters& all) {
    tell_full_at_ = now_ + kTellFullEvery;
    full_told_ = all;
    const auto counted = engine_->counters();
    full_before_.resize(counted.size());
    std::size_t told = 0;
    for (std::size_t i = 0; i < counted.size(); ++i) {
        const rules::RuleCounters before = std::exchange(full_before_[i], counted[i]);
        const std::uint64_t refused = counted[i].state_full - before.state_full;
        const std::uint64_t forgotten = counted[i].keys_forgotten - before.keys_forgotten;
        if ((refused == 0 && forgotten == 0) || ++told > kFullTold) continue;
        const rules::RuleState state = engine_->state_of(i);
        std::string what = refused == 0 ? "" : fmt::format("{} readings were not evaluated or not kept", refused);
        if (forgotten != 0)
            what += fmt::format("{}{} keys were forgotten, with {} windows that were open", what.empty() ? "" : ", ", forgotten,
                                counted[i].windows_forgotten - before.windows_forgotten);
        spdlog::warn("rule {}: no room for new keys or values ({} keys, {} of {} bytes on shard {}): {}", rules_->plan->rules()[i].id,
                     state.keys, state.bytes, state.bytes_max, options_.index.value(), what);
    }
    if (told > kFullTold) spdlog::warn("{} more rules have no room for new keys or values", told - kFullTold);
}

}  // namespace sluice::gateway
