// Runs rules over rows that bring their own time: for `sluice rule test`, tests and fuzzers. No clock, no I/O.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/json/scanner.hpp"
#include "flow/rules/engine.hpp"

namespace sluice::rules {

/// Where the output goes.
class RowSink {
public:
    virtual ~RowSink() = default;
    /// One output row of rule `rule`: a JSON object on one line, without its line break. Valid during the call.
    virtual void row(std::size_t rule, std::string_view json) = 0;
};

/// One thread.
class Rehearsal final : private Output {
public:
    struct Options {
        base::WallTime start{};  ///< the time of rows before the first that has one
        unsigned shards = 1;
        /// Saves the state and goes on with a new engine after every row: output must not change (rate() apart, which needs two readings).
        bool restart_after_each_row = false;
        std::size_t keys_max = 100'000;
    };

    Rehearsal(std::shared_ptr<const Plan> plan, const Options& options, RowSink& sink);

    /// One reading. Its time is its field `ts` (milliseconds since 1970) where it has one, else that of the row before it. Where `ts` goes
    /// back the monotonic clock stands still, as a gateway's would. `client` is empty.
    void reading(std::string_view topic, std::string_view payload);
    /// The same for a caller who knows the field `ts`.
    void reading(std::string_view topic, std::string_view payload, std::optional<double> ts);

    /// Emits open time windows as they are.
    void finish();

    /// Sums over all shards; of rows since the last restart.
    [[nodiscard]] std::vector<RuleCounters> counters() const;
    /// Of all rules and shards, likewise.
    [[nodiscard]] std::uint64_t malformed() const;

private:
    struct Forwarded {
        data::ShardIndex to;
        PartitionMask partitions;
        data::Reading reading;
    };

    void emit(const OutputRow& row) override;
    void forward(data::ShardIndex owner, PartitionMask partitions, const data::Reading& reading) override;
    void take_payload(std::string_view payload);
    void run(std::string_view topic, std::optional<double> ts);
    void make_engines();
    void run_timers();
    void restart();

    std::shared_ptr<const Plan> plan_;
    Options options_;
    RowSink& sink_;
    std::vector<std::unique_ptr<Engine>> engines_;
    std::deque<Forwarded> forwarded_;
    base::WallTime wall_;
    base::Monotonic now_{};
    bool timed_ = false;
    base::Bytes payload_;  ///< with what must be readable behind it
    std::size_t payload_size_ = 0;
    base::Bytes line_;
    json::FieldSet time_field_;
    json::Scanner scanner_;
};

}  // namespace sluice::rules
