#include <zstd.h>

#include "base/check.hpp"
#include "codec/wire/batch.hpp"
#include "codec/wire/envelope.hpp"

namespace sluice::wire {

using base::ByteView;
using base::Errc;
using base::Error;

struct Decoder::Context {
    ZSTD_DCtx* zstd = ZSTD_createDCtx();
    Context() = default;
    ~Context() { ZSTD_freeDCtx(zstd); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
};

Decoder::Decoder() : context_(std::make_unique<Context>()) { base::check(context_->zstd != nullptr, "wire: no memory for zstd"); }
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

base::Result<Batch> Decoder::decode(ByteView message, base::Bytes& body) {
    if (message.size() < kEnvelopeBytes || message[0] != kMagic[0] || message[1] != kMagic[1]) return Error{Errc::malformed};
    if (message[2] != kVersion) return Error{Errc::version};
    const auto flags = message[3];
    if ((flags & ~kFlagCompressed) != 0) return Error{Errc::malformed};
    const std::size_t size = base::load_le<std::uint32_t>(message.data() + 4);
    if (size > kBodyBytesMax) return Error{Errc::too_large};
    const auto rest = message.subspan(kEnvelopeBytes);

    if ((flags & kFlagCompressed) == 0) {
        if (rest.size() != size) return Error{Errc::malformed};
        body.assign(rest.begin(), rest.end());
        body.resize(size + data::kReadablePadding);
        return parse_body(ByteView(body).first(size));
    }
    // The declared size decides how much memory there is; zstd writes no byte past it, whatever the frame holds.
    if (size < kBodyHeaderBytes || ZSTD_getFrameContentSize(rest.data(), rest.size()) != size ||
        ZSTD_findFrameCompressedSize(rest.data(), rest.size()) != rest.size())
        return Error{Errc::malformed};
    body.resize(size + data::kReadablePadding);
    const auto written = ZSTD_decompressDCtx(context_->zstd, body.data(), size, rest.data(), rest.size());
    if (ZSTD_isError(written) != 0 || written != size) return Error{Errc::malformed};
    return parse_body(ByteView(body).first(size));
}

}  // namespace sluice::wire
