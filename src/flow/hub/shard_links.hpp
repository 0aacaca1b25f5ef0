// What goes to other shards: gathered during a turn, one message a shard at its end; and the fences that tell when all have read it.
#pragma once

#include <cstdint>
#include <vector>

#include "flow/hub/counters.hpp"
#include "flow/hub/limits.hpp"
#include "flow/hub/ports.hpp"
#include "flow/hub/ring.hpp"
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
    void passed(std::uint32_t shard, std::uint64_t number);
    [[nodiscard]] bool all_passed(std::uint64_t number) const;

    /// Hands over what was gathered; what a full mailbox refuses stays for the next turn.
    void flush();
    [[nodiscard]] bool waiting() const { return waiting_; }
    /// Half of what may wait for one shard does: take in less.
    [[nodiscard]] bool congested() const { return congested_; }
    /// Another shard has still to read filters and retained messages for about a millisecond. It will say when it has: a message comes.
    [[nodiscard]] bool behind() const { return behind_; }

private:
    /// A message is closed at this size, about: the other shard takes it in at one go, between its own clients' packets.
    static constexpr std::size_t kMessageBytes = 32 * 1024;
    /// Some 200 filters or messages.
    static constexpr std::size_t kUnreadMax = 16 * 1024;
    struct Link {
        Ring<ShardMessage> closed;  // before what is gathered
        std::size_t closed_bytes = 0;
        ShardMessage gathered;
        std::uint64_t passed = 0;
        struct Mark {
            std::uint64_t fence = 0;
            std::uint64_t sent = 0;  ///< before it
        };
        Ring<Mark> marks;          ///< fences not yet passed
        std::uint64_t sent = 0;    ///< bytes of filters and retained messages, ever
        std::uint64_t marked = 0;  ///< of them, before the last fence
        std::uint64_t read = 0;    ///< of them by the other shard, as far as is known
        [[nodiscard]] std::uint64_t unread() const { return sent - read; }
        [[nodiscard]] std::size_t waiting_bytes() const { return closed_bytes + gathered.bytes.size(); }
    };
    bool flush(data::ShardIndex to, Link& link);

    std::uint32_t own_;
    const Limits& limits_;
    Port& port_;
    Counters& counters_;
    std::vector<Link> links_;  // by shard; the own one is unused
    std::uint64_t last_fence_ = 0;
    bool dirty_ = false;
    bool waiting_ = false;
    bool congested_ = false;
    bool behind_ = false;
};

}  // namespace sluice::hub
