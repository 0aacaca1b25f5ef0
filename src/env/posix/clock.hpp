// The machine's clocks.
#pragma once

#include <atomic>
#include <cstdint>

#include "env/clock.hpp"

namespace sluice::posix {

/// now(): CLOCK_BOOTTIME, which goes on while the machine sleeps. wall(): CLOCK_REALTIME; synchronised as the kernel's time discipline says
/// (adjtimex(2): not STA_UNSYNC), asked at most once a second per object. Any thread.
class PosixClock final : public env::Clock {
public:
    [[nodiscard]] base::Monotonic now() const override;
    [[nodiscard]] env::WallReading wall() const override;

private:
    mutable std::atomic<std::int64_t> asked_ns_{INT64_MIN};
    mutable std::atomic<bool> synchronised_{false};
};

}  // namespace sluice::posix
