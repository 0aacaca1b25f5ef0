#include "flow/rules/rehearsal.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "codec/json/writer.hpp"

namespace sluice::rules {
namespace {

/// Times beyond this (the year 2200, before and after 1970 alike) do not fit in nanoseconds with room to compute.
constexpr std::int64_t kTimeMax = 7'258'118'400'000;

}  // namespace

Rehearsal::Rehearsal(std::shared_ptr<const Plan> plan, const Options& options, RowSink& sink)
    : plan_(std::move(plan)), options_(options), sink_(sink), wall_(options.start), now_(options.start.time_since_epoch()) {
    time_field_.add({"ts"});
    make_engines();
}

void Rehearsal::make_engines() {
    engines_.clear();
    for (unsigned shard = 0; shard < options_.shards; ++shard)
        engines_.push_back(
            std::make_unique<Engine>(plan_, Engine::Options{.shard = shard, .shards = options_.shards, .keys_max = options_.keys_max}));
}

void Rehearsal::take_payload(std::string_view payload) {
    payload_.assign(payload.begin(), payload.end());
    payload_.resize(payload.size() + data::kReadablePadding);
    payload_size_ = payload.size();
}

void Rehearsal::reading(std::string_view topic, std::string_view payload) {
    take_payload(payload);
    json::Value ts;
    // Written as it is, or with escapes.
    const bool known = (payload.find("ts") != std::string_view::npos || payload.find('\\') != std::string_view::npos) &&
                       scanner_.scan(base::ByteView(payload_).first(payload_size_), time_field_, {&ts, 1}).has_value();
    run(topic, known && ts.is_numeric() ? std::optional(ts.as_double()) : std::nullopt);
}

void Rehearsal::reading(std::string_view topic, std::string_view payload, std::optional<double> ts) {
    take_payload(payload);
    run(topic, ts);
}

void Rehearsal::run(std::string_view topic, std::optional<double> ts) {
    if (ts && std::abs(*ts) <= static_cast<double>(kTimeMax)) {
        wall_ = base::from_ms(static_cast<std::int64_t>(*ts));
        const base::Monotonic at(wall_.time_since_epoch());
        // The first time sets the clock, whatever it is.
        now_ = timed_ ? std::max(now_, at) : at;
        timed_ = true;
    }
    run_timers();
    const data::Reading reading{
        .topic = topic, .payload = base::ByteView(payload_).first(payload_size_), .client = {}, .arrived = wall_, .at = now_};
    // A gateway hands a connection to a shard by its client id; any shard must do.
    const unsigned first = base::shard_of(base::hash64(topic), options_.shards);
    engines_[first]->process(reading, kAllPartitions, *this);
    for (; !forwarded_.empty(); forwarded_.pop_front()) {
        const Forwarded& next = forwarded_.front();
        engines_[next.to.value()]->process(next.reading, next.partitions, *this);
    }
    if (options_.restart_after_each_row) restart();
}

void Rehearsal::run_timers() {
    for (const auto& engine : engines_) {
        for (auto due = engine->next_deadline(); due && *due <= now_; due = engine->next_deadline()) engine->on_time(now_, wall_, *this);
    }
}

void Rehearsal::finish() {
    for (const auto& engine : engines_) engine->finish(*this);
}

void Rehearsal::restart() {
    std::vector<base::Bytes> saved(engines_.size());
    for (std::size_t i = 0; i < engines_.size(); ++i) {
        SaveCursor cursor;
        while (engines_[i]->save_some(cursor, 100, now_, wall_, saved[i])) {
        }
    }
    make_engines();
    const std::vector<base::ByteView> all(saved.begin(), saved.end());
    for (const auto& engine : engines_) {
        engine->expect(all);
        for (const base::Bytes& state : saved) {
            const base::Status restored = engine->restore(state, now_, wall_);
            base::check(restored.has_value(), "rules: an engine cannot read the state that another one saved");
        }
    }
}

void Rehearsal::emit(const OutputRow& row) {
    line_.clear();
    json::append_on_one_line(line_, base::as_text(row.json));
    sink_.row(row.rule, base::as_text(line_));
}

void Rehearsal::forward(data::ShardIndex owner, PartitionMask partitions, const data::Reading& reading) {
    forwarded_.push_back({.to = owner, .partitions = partitions, .reading = reading});
}

std::uint64_t Rehearsal::malformed() const {
    std::uint64_t sum = 0;
    for (const auto& engine : engines_) {
        for (const RuleCounters& rule : engine->counters()) sum += rule.malformed;
    }
    return sum;
}

std::vector<RuleCounters> Rehearsal::counters() const {
    std::vector<RuleCounters> sum(plan_->rules().size());
    for (const auto& engine : engines_) {
        for (std::size_t i = 0; i < sum.size(); ++i) {
            const RuleCounters& part = engine->counters()[i];
            sum[i].evaluated += part.evaluated;
            sum[i].rows += part.rows;
            sum[i].malformed += part.malformed;
            sum[i].bad_value += part.bad_value;
            sum[i].late += part.late;
            sum[i].state_full += part.state_full;
        }
    }
    return sum;
}

}  // namespace sluice::rules
