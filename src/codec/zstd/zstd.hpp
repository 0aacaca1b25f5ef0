// Zstandard frames (RFC 8878), one at a time, by libzstd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace sluice::zstd {

/// JSON shrinks to a third; level 3 saves a twentieth more and takes half as long again.
inline constexpr int kFastLevel = 1;

/// One thread.
class Compressor {
public:
    Compressor();
    ~Compressor();
    Compressor(Compressor&&) noexcept;
    Compressor& operator=(Compressor&&) noexcept;

    /// Writes one frame, which tells its content's size, to `out`; its size, or nothing where `out` is too small.
    [[nodiscard]] std::optional<std::size_t> compress(base::ByteView plain, std::span<base::Byte> out, int level = kFastLevel);

private:
    struct Context;
    std::unique_ptr<Context> context_;  ///< some 300 KiB, made when it is first needed
};

/// What the head of a frame says; nothing where there is none, or it does not say.
struct FrameInfo {
    std::size_t bytes = 0;          ///< of the frame
    std::uint64_t plain_bytes = 0;  ///< of its content
};
[[nodiscard]] std::optional<FrameInfo> frame_info(base::ByteView bytes);

/// One thread.
class Decompressor {
public:
    Decompressor();
    ~Decompressor();
    Decompressor(Decompressor&&) noexcept;
    Decompressor& operator=(Decompressor&&) noexcept;

    /// Fills `out` from exactly one frame. Errors: corrupt (it is none, or its content is shorter or longer than `out`).
    base::Status decompress(base::ByteView frame, std::span<base::Byte> out);

private:
    struct Context;
    std::unique_ptr<Context> context_;  ///< some 100 KiB, made when it is first needed
};

}  // namespace sluice::zstd
