// A fast hash for keys and for placing work on shards. Not for adversarial tables across processes: the seed is fixed, because the
// shard of a key must be the same in every part of one process.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace sluice::base {

/// 64-bit multiply-and-fold hash over 8-byte words (the mixing step of wyhash: the two halves of a 128-bit product, xored).
/// Tables that hold keys chosen by strangers pass a secret seed; placing work on shards passes none.
[[nodiscard]] inline std::uint64_t hash64(std::string_view text, std::uint64_t seed = 0) {
    __extension__ using Wide = unsigned __int128;
    const auto fold = [](std::uint64_t a, std::uint64_t b) {
        const Wide product = static_cast<Wide>(a) * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    };
    constexpr std::uint64_t kSecret0 = 0xa0761d6478bd642f;  // wyhash's published constants
    constexpr std::uint64_t kSecret1 = 0xe7037ed1a0b428db;
    std::uint64_t state = kSecret0 ^ seed ^ text.size();
    const char* at = text.data();
    std::size_t left = text.size();
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        state = fold(state ^ word, kSecret1);
    }
    std::uint64_t tail = 0;
    if (left != 0) std::memcpy(&tail, at, left);
    return fold(state ^ tail ^ kSecret0, kSecret1 ^ seed ^ text.size());
}

/// The shard that owns a key (or a client id: a device that uses its own name as client id is handled without crossing shards).
[[nodiscard]] inline unsigned shard_of(std::uint64_t hash, unsigned shards) {
    return shards == 1 ? 0 : static_cast<unsigned>((hash >> 32) % shards);
}

}  // namespace sluice::base
