// A question about the rules, from the API's thread to all shards, and their answers.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "env/posix/mailbox.hpp"
#include "flow/rules/engine.hpp"

namespace sluice::gateway {

struct Ruleset;

/// What one rule did since the gateway started, under whatever SQL, and what it keeps.
struct RuleFigures {
    rules::RuleCounters counters;
    rules::RuleState state;
};

/// Made by the API's thread and shared with the shards, each of which answers once.
class RuleQuery {
public:
    RuleQuery(std::shared_ptr<const Ruleset> about, std::size_t shards) : about_(std::move(about)), open_(shards) {}

    /// The rules that run: whoever has others has nothing to say.
    [[nodiscard]] const std::shared_ptr<const Ruleset>& about() const { return about_; }

    /// A shard's thread. One row a rule, in their order; nothing: it runs other rules.
    void answer(const std::optional<std::vector<RuleFigures>>& answered) {
        {
            const std::lock_guard guard(lock_);
            others_ = others_ || !answered;
            if (answered) add(*answered);
            --open_;
        }
        changed_.notify_one();
    }

    /// The API's thread: waits for all shards. False: one did not answer in time.
    [[nodiscard]] bool wait(std::chrono::milliseconds patience) {
        std::unique_lock guard(lock_);
        return changed_.wait_for(guard, patience, [this] { return open_ == 0; });
    }
    /// Sums over all shards. Nothing: some shard runs other rules.
    [[nodiscard]] std::optional<std::vector<RuleFigures>> take_rows() {
        const std::lock_guard guard(lock_);
        if (others_) return std::nullopt;
        return std::move(rows_);
    }

private:
    void add(const std::vector<RuleFigures>& rows) {
        rows_.resize(std::max(rows_.size(), rows.size()));
        for (std::size_t i = 0; i < rows.size(); ++i) {
            rows_[i].counters += rows[i].counters;
            rows_[i].state += rows[i].state;
        }
    }

    std::shared_ptr<const Ruleset> about_;
    std::mutex lock_;
    std::condition_variable changed_;
    std::size_t open_;
    std::vector<RuleFigures> rows_;
    bool others_ = false;
};

/// From the API's thread to a shard.
using RuleQueryBox = posix::Mailbox<std::shared_ptr<RuleQuery>>;

}  // namespace sluice::gateway
