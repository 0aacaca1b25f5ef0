// Key material in memory: fixed size, wiped when it goes.
#pragma once

#include <array>

#include "base/bytes.hpp"

namespace sluice::identity {

inline constexpr std::size_t kKeyBytes = 32;

/// 32 secret bytes. Copies are wiped like the original.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::span<const base::Byte, kKeyBytes> bytes);
    Secret(const Secret&) = default;
    Secret& operator=(const Secret&) = default;
    ~Secret();

    [[nodiscard]] std::span<const base::Byte, kKeyBytes> bytes() const { return bytes_; }
    [[nodiscard]] std::span<base::Byte, kKeyBytes> writable() { return bytes_; }

private:
    std::array<base::Byte, kKeyBytes> bytes_{};
};

}  // namespace sluice::identity
