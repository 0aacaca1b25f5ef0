// The operating system's randomness.
#pragma once

#include "env/entropy.hpp"

namespace sluice::posix {

/// getrandom(2). Any thread. Blocks only in the first moments after boot, until the kernel's pool is seeded.
class PosixEntropy final : public env::Entropy {
public:
    void fill(std::span<base::Byte> out) override;
};

}  // namespace sluice::posix
