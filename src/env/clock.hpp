// The clocks, as an interface: simulations drive time themselves.
#pragma once

#include "base/time.hpp"

namespace sluice::env {

struct WallReading {
    base::WallTime time;
    bool synchronised;  ///< false: no time source has set this clock since boot; it may be years off
};

/// Any thread may call these.
class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual base::Monotonic now() const = 0;
    [[nodiscard]] virtual WallReading wall() const = 0;
};

}  // namespace sluice::env
