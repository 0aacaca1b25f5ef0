// Deterministic randomness: everything in a simulation comes from one seed.
#pragma once

#include <cstdint>

#include "env/entropy.hpp"

namespace sluice::sim {

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): 64 bits of state, good enough to choose faults, the same on every machine.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t mixed = (state_ += 0x9e3779b97f4a7c15);
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        return mixed ^ (mixed >> 31);
    }
    /// 0 … n − 1; n > 0.
    std::uint64_t below(std::uint64_t n) { return next() % n; }
    /// low … high, both included.
    std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
    /// True `numerator` times out of `denominator`.
    bool chance(std::uint64_t numerator, std::uint64_t denominator) { return below(denominator) < numerator; }
    /// An independent stream.
    Random fork() { return Random(next()); }

private:
    std::uint64_t state_;
};

/// Predictable "randomness" for keys, salts and identities.
class SimEntropy final : public env::Entropy {
public:
    explicit SimEntropy(std::uint64_t seed) : random_(seed) {}
    void fill(std::span<base::Byte> out) override {
        for (base::Byte& byte : out) byte = static_cast<base::Byte>(random_.next());
    }

private:
    Random random_;
};

}  // namespace sluice::sim
