#include "codec/wire/batch.hpp"
#include "codec/wire/envelope.hpp"

namespace sluice::wire {

using base::ByteView;
using base::Errc;
using base::Error;

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
    const auto frame = zstd::frame_info(rest);
    if (size < kBodyHeaderBytes || !frame || frame->plain_bytes != size || frame->bytes != rest.size()) return Error{Errc::malformed};
    body.resize(size + data::kReadablePadding);
    if (!zstd_.decompress(rest, std::span(body).first(size))) return Error{Errc::malformed};
    return parse_body(ByteView(body).first(size));
}

}  // namespace sluice::wire
