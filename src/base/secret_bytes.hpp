// Bytes that are wiped when they go: passwords on their way to being verified.
#pragma once

#include <cstring>
#include <utility>

#include "base/bytes.hpp"

namespace sluice::base {

/// Moves, does not copy; what it held is overwritten before its memory is given back.
class SecretBytes {
public:
    SecretBytes() = default;
    explicit SecretBytes(ByteView bytes) : bytes_(bytes.begin(), bytes.end()) {}
    SecretBytes(SecretBytes&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
    SecretBytes& operator=(SecretBytes&& other) noexcept {
        wipe();
        bytes_ = std::exchange(other.bytes_, {});
        return *this;
    }
    ~SecretBytes() { wipe(); }

    [[nodiscard]] ByteView view() const { return bytes_; }

private:
    void wipe() {
        if (bytes_.data() != nullptr) ::explicit_bzero(bytes_.data(), bytes_.size());
        bytes_.clear();
    }
    Bytes bytes_;
};

}  // namespace sluice::base
