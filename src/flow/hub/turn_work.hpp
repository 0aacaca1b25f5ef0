// How much of a turn goes into what clients ask for beyond plain publishing.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace sluice::hub {

/// Counts, in about what things take on a slow core; reads no clock, so that the same packets always end in the same turn. What is used up
/// is used up until the end of the turn: of one connection its share, of all together the whole. A single thing can be dearer than what is
/// left: it is done, and what follows waits. Turns follow one another without a pause, so what is asked for may take a part of the time,
/// too: what was saved up is there at once (all clients of a gateway come back), then a quarter. Of one thread.
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
    static constexpr int kPart = 4;                            ///< one of so many parts of the time
    static constexpr std::chrono::milliseconds kSavedMax{50};  ///< of it

    /// `whole`: of a turn; 0: any.
    void set_limit(std::chrono::nanoseconds whole) {
        whole_ = whole.count() == 0 ? kAny : whole.count();
        share_ = whole.count() == 0 ? kAny : whole_ / kShares;
        allowed_ = whole_;
        saved_ = std::chrono::nanoseconds(kSavedMax).count();
    }
    [[nodiscard]] bool limited() const { return share_ != whole_; }

    /// What is spent from now on is for another connection.
    void begin() { began_ = spent_; }
    void spend(std::size_t cost) { spent_ += static_cast<Total>(cost); }
    /// May the connection go on?
    [[nodiscard]] bool left() const { return spent_ < allowed_ && spent_ - began_ < share_; }
    /// It has spent what it may: it is to wait. Who spends nothing never is.
    [[nodiscard]] bool used_up() const { return spent_ != began_ && !left(); }

    /// What ends by itself (sessions, wills) has a whole of its own, so that neither waits for the other.
    void spend_on_endings(std::size_t cost) { spent_on_endings_ += static_cast<Total>(cost); }
    [[nodiscard]] bool left_for_endings() const { return spent_on_endings_ < whole_; }

    void end_of_turn(base::Monotonic now) {
        if (limited()) {
            constexpr Total kMax = std::chrono::nanoseconds(kSavedMax).count();
            const Total passed = std::clamp<Total>((now - turn_).count(), 0, kMax * kPart);
            saved_ = std::min(saved_ - spent_ + passed / kPart, kMax);
            allowed_ = std::clamp<Total>(saved_, 0, whole_);
            turn_ = now;
        }
        spent_ = began_ = spent_on_endings_ = 0;
    }

private:
    using Total = std::int64_t;
    static constexpr Total kAny = INT64_MAX / 2;
    Total whole_ = kAny;
    Total share_ = kAny;
    Total allowed_ = kAny;  ///< of the present turn
    Total saved_ = 0;
    base::Monotonic turn_{};  ///< when it began
    Total spent_ = 0;
    Total began_ = 0;
    Total spent_on_endings_ = 0;
};

}  // namespace sluice::hub
