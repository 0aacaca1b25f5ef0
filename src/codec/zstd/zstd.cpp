#include "codec/zstd/zstd.hpp"

#include <zstd.h>

#include "base/check.hpp"

namespace sluice::zstd {

struct Compressor::Context {
    ZSTD_CCtx* zstd = ZSTD_createCCtx();
    Context() { base::check(zstd != nullptr, "zstd: no memory for a context"); }
    ~Context() { ZSTD_freeCCtx(zstd); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
};

Compressor::Compressor() = default;
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

std::optional<std::size_t> Compressor::compress(base::ByteView plain, std::span<base::Byte> out, int level) {
    if (!context_) context_ = std::make_unique<Context>();
    const std::size_t bytes = ZSTD_compressCCtx(context_->zstd, out.data(), out.size(), plain.data(), plain.size(), level);
    if (ZSTD_isError(bytes) != 0) return std::nullopt;
    return bytes;
}

std::optional<FrameInfo> frame_info(base::ByteView bytes) {
    const auto plain = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
    if (plain == ZSTD_CONTENTSIZE_ERROR || plain == ZSTD_CONTENTSIZE_UNKNOWN) return std::nullopt;
    const std::size_t frame = ZSTD_findFrameCompressedSize(bytes.data(), bytes.size());
    if (ZSTD_isError(frame) != 0 || frame > bytes.size()) return std::nullopt;
    return FrameInfo{frame, plain};
}

struct Decompressor::Context {
    ZSTD_DCtx* zstd = ZSTD_createDCtx();
    Context() { base::check(zstd != nullptr, "zstd: no memory for a context"); }
    ~Context() { ZSTD_freeDCtx(zstd); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
};

Decompressor::Decompressor() = default;
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

base::Status Decompressor::decompress(base::ByteView frame, std::span<base::Byte> out) {
    if (!context_) context_ = std::make_unique<Context>();
    const std::size_t bytes = ZSTD_decompressDCtx(context_->zstd, out.data(), out.size(), frame.data(), frame.size());
    if (ZSTD_isError(bytes) != 0 || bytes != out.size()) return base::Error{base::Errc::corrupt};
    return {};
}

}  // namespace sluice::zstd
