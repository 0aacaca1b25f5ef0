#include "flow/spool/running_time.hpp"

#include <algorithm>

namespace sluice::spool {
namespace {

std::int64_t ms_since(base::Monotonic start, base::Monotonic now) {
    return std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(now - start).count());
}

}  // namespace

RunningTime::RunningTime(const env::Clock& clock, Saved saved)
    : clock_(clock), opened_(clock.now()), base_ms_(saved.running_ms), wall_before_ms_(saved.wall_ms) {
    update();
}

std::uint64_t RunningTime::now_ms() const { return base_ms_ + static_cast<std::uint64_t>(ms_since(opened_, clock_.now())); }

void RunningTime::at_least(std::uint64_t running_ms) {
    const std::uint64_t now = now_ms();
    if (running_ms > now) base_ms_ += running_ms - now;
}

void RunningTime::update() {
    if (wall_before_ms_ == 0) return;
    const env::WallReading wall = clock_.wall();
    if (!wall.synchronised) return;
    const std::int64_t pause_ms = base::to_ms(wall.time) - ms_since(opened_, clock_.now()) - wall_before_ms_;
    if (pause_ms > 0 && pause_ms < kPauseMsMax) base_ms_ += static_cast<std::uint64_t>(pause_ms);
    wall_before_ms_ = 0;
}

RunningTime::Saved RunningTime::to_save() const {
    const env::WallReading wall = clock_.wall();
    return {now_ms(), wall.synchronised ? base::to_ms(wall.time) : 0};
}

}  // namespace sluice::spool
