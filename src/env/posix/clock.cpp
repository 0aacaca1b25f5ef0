#include "env/posix/clock.hpp"

#include <sys/timex.h>
#include <time.h>

#include "base/check.hpp"

namespace sluice::posix {
namespace {

std::int64_t nanoseconds(clockid_t clock) {
    timespec time{};
    base::check(clock_gettime(clock, &time) == 0, "clock: the kernel has no such clock");
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

base::Monotonic PosixClock::now() const { return base::Monotonic(std::chrono::nanoseconds(nanoseconds(CLOCK_BOOTTIME))); }

env::WallReading PosixClock::wall() const {
    constexpr std::int64_t kAskAgainNs = 1'000'000'000;  // the kernel's answer changes within minutes; asking costs a system call
    const std::int64_t now_ns = nanoseconds(CLOCK_MONOTONIC_COARSE);
    const std::int64_t asked_ns = asked_ns_.load(std::memory_order_relaxed);
    if (asked_ns == INT64_MIN || now_ns - asked_ns >= kAskAgainNs) {
        timex state{};
        const int answer = adjtimex(&state);
        synchronised_.store(answer >= 0 && (state.status & STA_UNSYNC) == 0, std::memory_order_relaxed);
        asked_ns_.store(now_ns, std::memory_order_relaxed);
    }
    return {base::WallTime(std::chrono::nanoseconds(nanoseconds(CLOCK_REALTIME))), synchronised_.load(std::memory_order_relaxed)};
}

}  // namespace sluice::posix
