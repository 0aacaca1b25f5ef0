// How much memory the hub takes and who has to do without when limits.memory is near: docs/decisions/0018-memory.md.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "flow/hub/limits.hpp"
#include "flow/hub/ports.hpp"

namespace sluice::hub {

/// Counts bytes; decides nothing but what fits. Of one thread.
///
/// Growth of each kind ends at its own mark, so that none of them takes the room of those behind it:
///  - from 3/4 on what waits for one subscriber, and what its socket has not taken, has a share: who has more loses its oldest messages;
///  - from 7/8 on nothing new is retained and nothing new subscribed to;
///  - from 15/16 on there are no new sessions;
///  - at the limit next to nothing waits for anybody any more, and the runtime closes the connections with the largest buffers.
class MemoryGuard {
public:
    MemoryGuard(const Limits& limits, const Port& port) : limits_(limits), port_(port) {}

    enum class Mark : std::uint8_t { fair = 12, structures = 14, sessions = 15, full = 16 };  ///< sixteenths of the limit

    /// Messages that are kept, and what stands beside them: kept up to date by who has them.
    std::size_t messages = 0;

    /// What the tables of the hub take now.
    void count_structures(std::size_t bytes) { structures_ = bytes; }
    /// A turn is over. `sessions` is of this hub.
    void end_of_turn(std::size_t structures, std::size_t sessions) {
        structures_ = structures;
        if (turn_is_over_) begin_turn();  // it wrote nothing
        elsewhere_ = port_.elsewhere();
        sessions_ = sessions + elsewhere_.sessions;
        turn_is_over_ = true;
        turn_output_max_ = ~std::size_t{0};  // what it wrote leaves
    }
    /// Before the first output of a turn: what the last one wrote has left, or is among the buffers of the runtime.
    void before_output() {
        if (turn_is_over_) [[unlikely]]
            begin_turn();
    }
    void count_output(std::size_t bytes) {
        turn_output_ += bytes;
        if (turn_output_ > turn_output_hard_) [[unlikely]]
            output_max_ = 0;
    }
    /// Enough was written for one turn: what else publishers sent can wait until it has left.
    [[nodiscard]] bool turn_is_full() const { return turn_output_ > turn_output_max_; }

    [[nodiscard]] std::size_t here() const { return structures_ + messages + buffers_ + turn_output_; }
    [[nodiscard]] std::size_t used() const { return here() + elsewhere_.memory_bytes; }
    [[nodiscard]] const Elsewhere& elsewhere() const { return elsewhere_; }
    /// Is there room for so many bytes below the mark?
    [[nodiscard]] bool allows(std::size_t bytes, Mark mark) const {
        const std::size_t limit = limits_.memory_bytes_max;
        return limit == 0 || used() + bytes <= limit / 16 * static_cast<std::size_t>(mark);
    }
    [[nodiscard]] std::size_t room() const {
        const std::size_t limit = limits_.memory_bytes_max;
        return limit == 0 ? ~std::size_t{0} : limit - std::min(limit, used());
    }

    /// Bytes that may wait for one session, in flight and queued.
    [[nodiscard]] std::size_t share() const {
        if (allows(0, Mark::fair)) [[likely]]
            return ~std::size_t{0};
        const std::size_t limit = limits_.memory_bytes_max;
        if (allows(0, Mark::full)) return std::max(kShareMin, limit / 4 / (sessions_ + 1));
        return std::min(kOutputMin, limit / 16 / (sessions_ + 1));  // of all sessions a sixteenth
    }
    /// Bytes that one connection may have unsent before it gets no more.
    [[nodiscard]] std::size_t output_max() const { return output_max_; }

    static constexpr std::size_t kShareMin = 16 * 1024;
    static constexpr std::size_t kOutputMin = 4 * 1024;              // what a connection keeps anyway
    static constexpr std::size_t kTurnOutputMin = 256 * 1024;        // leaves at the end of the turn: also at the limit
    static constexpr std::size_t kTurnOutputMax = 16 * 1024 * 1024;  // some milliseconds of writing

private:
    void begin_turn() {
        turn_is_over_ = false;
        buffers_ = port_.buffer_bytes();
        turn_output_ = 0;
        // Without a limit the runtime need not be one that can hold input back.
        turn_output_max_ = limits_.memory_bytes_max == 0 ? room() : std::clamp(room() / 4, kTurnOutputMin, kTurnOutputMax);
        turn_output_hard_ = std::max(room() / 2, 8 * kTurnOutputMin);  // a buffer that grows can have twice its size
        output_max_ = std::min(limits_.output_bytes_max, std::max(kOutputMin, share()));
    }

    const Limits& limits_;
    const Port& port_;
    Elsewhere elsewhere_;
    std::size_t structures_ = 0;
    std::size_t buffers_ = 0;
    std::size_t turn_output_ = 0;
    std::size_t turn_output_max_ = ~std::size_t{0};
    std::size_t turn_output_hard_ = 0;
    std::size_t output_max_ = 0;
    std::size_t sessions_ = 0;
    bool turn_is_over_ = true;
};

}  // namespace sluice::hub
