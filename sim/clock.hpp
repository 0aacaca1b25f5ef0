// Time that moves only when the simulation moves it.
#pragma once

#include "env/clock.hpp"

namespace sluice::sim {

/// Monotonic time begins at `start`; wall time is monotonic time plus an offset that can jump. One thread.
class SimClock final : public env::Clock {
public:
    explicit SimClock(base::Monotonic start = base::Monotonic(std::chrono::seconds(1)),
                      base::WallTime wall = base::from_ms(1'700'000'000'000), bool synchronised = true)
        : now_(start), wall_offset_(wall.time_since_epoch() - start.time_since_epoch()), synchronised_(synchronised) {}

    [[nodiscard]] base::Monotonic now() const override { return now_; }
    [[nodiscard]] env::WallReading wall() const override { return {base::WallTime(now_.time_since_epoch() + wall_offset_), synchronised_}; }

    void advance(std::chrono::nanoseconds by) { now_ += by; }
    void advance_to(base::Monotonic when) {
        if (when > now_) now_ = when;
    }
    /// The wall clock jumps; the monotonic clock does not notice.
    void set_wall(base::WallTime wall, bool synchronised) {
        wall_offset_ = wall.time_since_epoch() - now_.time_since_epoch();
        synchronised_ = synchronised;
    }
    /// A restart of the machine: monotonic time begins anew, `off` later by the wall clock.
    void reboot(std::chrono::nanoseconds off) {
        const base::WallTime wall_then = wall().time + off;
        now_ = base::Monotonic(std::chrono::seconds(1));
        wall_offset_ = wall_then.time_since_epoch() - now_.time_since_epoch();
    }

private:
    base::Monotonic now_;
    std::chrono::nanoseconds wall_offset_;
    bool synchronised_;
};

}  // namespace sluice::sim
