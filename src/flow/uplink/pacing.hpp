// How fast and how much: the byte window that follows the link, the bucket that bounds the rate, the size of a message.
// Small machines of their own, so that each can be read and tested alone.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/retry.hpp"
#include "base/time.hpp"

namespace sluice::uplink {

using base::BackOff;

/// Bytes that may be in flight so that they wait about `target` in queues on the way, whatever the link's speed: what an alert waits at
/// most behind lower classes. Delay-based as LEDBAT (RFC 6817): grows while acknowledgements come within target of the fastest one of this
/// connection, shrinks when they come later. A path that has become slower for good keeps the window at its minimum until the next
/// connection: slow, but it moves.
class ByteWindow {
public:
    static constexpr std::size_t kMin = 8 * 1024;
    static constexpr std::size_t kStart = 64 * 1024;
    static constexpr std::size_t kMax = 4 * 1024 * 1024;

    explicit ByteWindow(std::chrono::nanoseconds target) : target_(target) {}

    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    /// A new path: its fastest answer is not known. The size is kept: it is the best guess there is.
    void on_connected() {
        fastest_.reset();
        decreased_at_.reset();
    }

    /// `limited`: the window (not a lack of events) bounded what was sent.
    void on_ack(std::size_t acked, std::chrono::nanoseconds round_trip, bool limited, base::Monotonic now) {
        fastest_ = fastest_ ? std::min(*fastest_, round_trip) : round_trip;
        if (round_trip - *fastest_ > target_) {
            slow_start_ = false;
            if (decreased_at_ && now - *decreased_at_ < round_trip)
                return;  // what is in flight still shows the old window: once a round trip
            decreased_at_ = now;
            bytes_ = std::max(kMin, bytes_ - bytes_ / 4);
        } else if (limited) {
            bytes_ = std::min(kMax, bytes_ + (slow_start_ ? acked : acked / 8));
        }
    }

    /// Nothing came back at all.
    void on_stall() {
        slow_start_ = false;
        bytes_ = std::max(kMin, bytes_ / 4);
    }

private:
    std::chrono::nanoseconds target_;
    std::size_t bytes_ = kStart;
    std::optional<std::chrono::nanoseconds> fastest_;
    std::optional<base::Monotonic> decreased_at_;
    bool slow_start_ = true;
};

/// A token bucket that may be overdrawn: top priority goes at once and the others pay for it. Rate 0: no limit.
class RateBucket {
public:
    /// Holds at most a tenth of a second's worth: a long silence must not turn into a flood.
    explicit RateBucket(std::uint32_t per_second) : per_second_(per_second), burst_(std::max(1.0, per_second / 10.0)), tokens_(burst_) {}

    /// Events that may go now; for `urgent` ones a second's worth more.
    [[nodiscard]] std::size_t available(bool urgent, base::Monotonic now) {
        if (per_second_ == 0) return SIZE_MAX;
        refill(now);
        const double usable = tokens_ + (urgent ? per_second_ : 0.0);
        return usable < 1.0 ? 0 : static_cast<std::size_t>(usable);
    }
    void take(std::size_t events) {
        if (per_second_ != 0) tokens_ -= static_cast<double>(events);
    }
    /// When so many may go (not more than batch_max(): the bucket never holds much more). Not after `now`: at once.
    [[nodiscard]] base::Monotonic ready_at(std::size_t events, bool urgent, base::Monotonic now) {
        if (available(urgent, now) >= events) return now;
        const double missing = static_cast<double>(events) - tokens_ - (urgent ? per_second_ : 0.0);
        return now + std::chrono::nanoseconds(static_cast<std::int64_t>(missing / per_second_ * 1e9) + 1);
    }
    /// Batches of more than a twentieth of a second would hold an alert up behind them.
    [[nodiscard]] std::size_t batch_max() const { return per_second_ == 0 ? SIZE_MAX : std::max<std::size_t>(1, per_second_ / 20); }

private:
    void refill(base::Monotonic now) {
        if (last_ && now > *last_) tokens_ = std::min(burst_, tokens_ + std::chrono::duration<double>(now - *last_).count() * per_second_);
        last_ = now;
    }
    std::uint32_t per_second_;
    double burst_;
    double tokens_;
    std::optional<base::Monotonic> last_;
};

/// How much goes into one message, for a cloud that takes less than we make. One that says beforehand how much it takes is asked with
/// grow(). One that only refuses what was too much is tried with more once many full messages have gone through, and less and less often
/// while that is in vain: each try costs a message.
class BatchSize {
public:
    static constexpr unsigned kPatienceMin = 32;    ///< full messages before more is tried: 3 % of them are in vain at first …
    static constexpr unsigned kPatienceMax = 1024;  ///< … and 0.1 % where the limit stays
    explicit BatchSize(std::size_t bytes_max = 1) : bytes_max_(bytes_max), bytes_(bytes_max) {}

    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] bool is_cut() const { return bytes_ < bytes_max_; }
    /// Less than half of the room that there is now was used.
    [[nodiscard]] bool is_roomy_for(std::size_t filled) const { return filled < bytes_ / 2; }

    /// A message of `filled` bytes was too much. False: less than this cannot go.
    bool cut(std::size_t filled) {
        const std::size_t smaller = std::max<std::size_t>(1, std::min(bytes_, filled) / 2);
        if (std::exchange(trying_, false)) patience_ = std::min(kPatienceMax, patience_ * 2);
        taken_ = 0;
        return std::exchange(bytes_, smaller) != smaller;
    }
    void grow() { bytes_ = std::min(bytes_max_, bytes_ * 2); }
    void restore() { bytes_ = bytes_max_; }
    /// The cloud, which only refuses, has taken a message.
    void on_taken(std::size_t filled) {
        if (!is_cut() || is_roomy_for(filled) || ++taken_ < patience_) return;
        taken_ = 0;
        if (std::exchange(trying_, true)) patience_ = kPatienceMin;  // the last try has held
        grow();
    }

private:
    std::size_t bytes_max_;
    std::size_t bytes_;
    unsigned patience_ = kPatienceMin;
    unsigned taken_ = 0;   // full messages since it was cut or has grown
    bool trying_ = false;  // it has grown since it was cut
};

}  // namespace sluice::uplink
