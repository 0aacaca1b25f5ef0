// Randomness for keys, nonces and identities, as an interface: simulations take it from a seed.
#pragma once

#include <span>

#include "base/bytes.hpp"

namespace sluice::env {

class Entropy {
public:
    virtual ~Entropy() = default;
    /// Fills the buffer with unpredictable bytes (predictable ones in simulation). Cannot fail: the operating system's source stops the
    /// process where it is missing.
    virtual void fill(std::span<base::Byte> out) = 0;
};

}  // namespace sluice::env
