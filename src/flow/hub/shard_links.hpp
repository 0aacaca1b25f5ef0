// What goes to other shards: gathered during a turn, one message a shard at its end; and the fences that tell when all have read it.
#pragma once

#include <cstdint>
#include <vector>

#include "flow/hub/counters.hpp"
#include "flow/hub/limits.hpp"
#include "flow/hub/ports.hpp"
#include "flow/hub/shard_records.hpp"

namespace sluice::hub {

class ShardLinks {
public:
    ShardLinks(std::uint32_t own, std::uint32_t shards, const Limits& limits, Port& port, Counters& counters);

    /// No other shards: nothing is ever sent, all fences are passed at once.
    [[nodiscard]] bool alone() const { return links_.size() == 1; }
    [[nodiscard]] std::uint32_t own() const { return own_; }
    [[nodiscard]] std::uint32_t shards() const { return static_cast<std::uint32_t>(links_.size()); }

    /// A publication for one shard. Dropped and counted while too much waits for that shard.
    void publication(std::uint32_t shard, const Record& record);
    /// Filters and fences: few, never dropped.
    void control(std::uint32_t shard, const Record& record);
    void control_to_all(const Record& record);

    /// Asks all others for a sign that they have read everything sent so far, and that what they sent before it has come here.
    std::uint64_t fence();
    void passed(std::uint32_t shard, std::uint64_t number) { links_[shard].passed = number; }
    [[nodiscard]] bool all_passed(std::uint64_t number) const;

    /// Hands over what was gathered; what a full mailbox refuses stays for the next turn.
    void flush();
    [[nodiscard]] bool waiting() const { return waiting_; }
    /// Half of what may wait for one shard does: take in less.
    [[nodiscard]] bool congested() const { return congested_; }

private:
    struct Link {
        ShardMessage gathered;
        std::uint64_t passed = 0;
    };
    std::uint32_t own_;
    const Limits& limits_;
    Port& port_;
    Counters& counters_;
    std::vector<Link> links_;  // by shard; the own one is unused
    std::uint64_t last_fence_ = 0;
    bool dirty_ = false;
    bool waiting_ = false;
    bool congested_ = false;
};

}  // namespace sluice::hub
