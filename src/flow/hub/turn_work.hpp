// How much of a turn goes into what clients ask for beyond plain publishing.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sluice::hub {

/// Counts, in about what things take on a slow core; reads no clock, so that the same packets always end in the same turn. What is used up
/// is used up until the end of the turn: of one connection its share, of all together the whole. A single thing can be dearer than what is
/// left: it is done, and what follows waits. Of one thread.
class TurnWork {
public:
    using Cost = std::uint32_t;  ///< nanoseconds

    static constexpr Cost kFilter = 2'000;         ///< subscribed to, or not any more, here and in the trees of other shards
    static constexpr Cost kRefusedFilter = 100;    ///< read and answered
    static constexpr Cost kByteChecked = 3;        ///< of a SUBSCRIBE or UNSUBSCRIBE, when it comes
    static constexpr Cost kSession = 10'000;       ///< begun, taken over or ended
    static constexpr Cost kWill = 5'000;           ///< published, without its copies
    static constexpr Cost kCopy = 500;             ///< of a will, for one subscriber
    static constexpr Cost kRetained = 4'000;       ///< a topic that gets its first retained message, or loses it
    static constexpr Cost kRetainedAgain = 1'000;  ///< a topic that had one
    static constexpr Cost kShares = 4;

    /// `whole`: of a turn; 0: any.
    void set_limit(std::chrono::nanoseconds whole) {
        whole_ = whole.count() == 0 ? ~Total{0} / 2 : static_cast<Total>(whole.count());
        share_ = whole.count() == 0 ? whole_ : whole_ / kShares;
    }
    [[nodiscard]] bool limited() const { return share_ != whole_; }

    /// What is spent from now on is for another connection.
    void begin() { began_ = spent_; }
    void spend(std::size_t cost) { spent_ += cost; }
    /// May the connection go on?
    [[nodiscard]] bool left() const { return spent_ < whole_ && spent_ - began_ < share_; }
    /// It has spent what it may: it is to wait. Who spends nothing never is.
    [[nodiscard]] bool used_up() const { return spent_ != began_ && !left(); }

    /// What ends by itself (sessions, wills) has a whole of its own, so that neither waits for the other.
    void spend_on_endings(std::size_t cost) { spent_on_endings_ += cost; }
    [[nodiscard]] bool left_for_endings() const { return spent_on_endings_ < whole_; }

    void end_of_turn() { spent_ = began_ = spent_on_endings_ = 0; }

private:
    using Total = std::uint64_t;
    Total whole_ = ~Total{0} / 2;
    Total share_ = ~Total{0} / 2;
    Total spent_ = 0;
    Total began_ = 0;
    Total spent_on_endings_ = 0;
};

}  // namespace sluice::hub
