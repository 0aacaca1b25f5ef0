#include "flow/spool/packing.hpp"

#include <algorithm>

#include <zstd.h>

#include "base/check.hpp"

namespace sluice::spool {
namespace {

using base::Bytes;
using base::ByteView;
using base::Errc;
using base::Error;
using base::Status;

/// JSON shrinks to a third at level 1; level 3 saves a twentieth more and takes half as long again.
constexpr int kLevel = 1;
/// Below this there is little to gain, and a lone alert should not wait for it.
constexpr std::size_t kPackFrom = 512;

}  // namespace

struct Packer::Context {
    ZSTD_CCtx* zstd = ZSTD_createCCtx();
    Context() = default;
    ~Context() { ZSTD_freeCCtx(zstd); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
};

Packer::Packer() = default;
Packer::~Packer() = default;

bool Packer::pack(ByteView plain, std::size_t bytes_min, Bytes& out) {
    if (plain.size() < kPackFrom || bytes_min >= plain.size()) return false;
    if (!context_) {
        context_ = std::make_unique<Context>();
        base::check(context_->zstd != nullptr, "spool: no memory for zstd");
    }
    out.resize(plain.size() - 1);  // where zstd needs more, plain is smaller
    const std::size_t bytes = ZSTD_compressCCtx(context_->zstd, out.data(), out.size(), plain.data(), plain.size(), kLevel);
    if (ZSTD_isError(bytes) != 0) return false;
    out.resize(bytes);
    out.resize(std::max(bytes, bytes_min), 0);
    return true;
}

struct Unpacker::Context {
    ZSTD_DCtx* zstd = ZSTD_createDCtx();
    Context() = default;
    ~Context() { ZSTD_freeDCtx(zstd); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
};

Unpacker::Unpacker() = default;
Unpacker::~Unpacker() = default;

Bytes& Unpacker::buffer(std::size_t bytes) {
    buffer_.resize(bytes);
    return buffer_;
}

Status Unpacker::unpack(ByteView packed, std::size_t bytes_max, Bytes& plain) {
    const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
    const std::size_t frame = ZSTD_findFrameCompressedSize(packed.data(), packed.size());
    // Both error codes of the first are above every size that is allowed.
    if (size > bytes_max || ZSTD_isError(frame) != 0 || frame > packed.size()) return Error{Errc::corrupt};
    const ByteView rest = packed.subspan(frame);
    if (std::any_of(rest.begin(), rest.end(), [](base::Byte byte) { return byte != 0; })) return Error{Errc::corrupt};
    if (!context_) {
        context_ = std::make_unique<Context>();
        base::check(context_->zstd != nullptr, "spool: no memory for zstd");
    }
    plain.resize(size);
    const std::size_t written = ZSTD_decompressDCtx(context_->zstd, plain.data(), plain.size(), packed.data(), frame);
    if (ZSTD_isError(written) != 0 || written != size) return Error{Errc::corrupt};
    return {};
}

}  // namespace sluice::spool
