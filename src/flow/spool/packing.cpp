#include "flow/spool/packing.hpp"

#include <algorithm>

namespace sluice::spool {
namespace {

using base::Bytes;
using base::ByteView;
using base::Errc;
using base::Error;
using base::Status;

/// Below this there is little to gain, and a lone alert should not wait for it.
constexpr std::size_t kPackFrom = 512;

}  // namespace

bool Packer::pack(ByteView plain, std::size_t bytes_min, Bytes& out) {
    if (plain.size() < kPackFrom || bytes_min >= plain.size()) return false;
    out.resize(plain.size() - 1);  // where zstd needs more, plain is smaller
    const auto bytes = zstd_.compress(plain, out);
    if (!bytes) return false;
    out.resize(*bytes);
    out.resize(std::max(*bytes, bytes_min), 0);
    return true;
}

Bytes& Unpacker::buffer(std::size_t bytes) {
    buffer_.resize(bytes);
    return buffer_;
}

Status Unpacker::unpack(ByteView packed, std::size_t bytes_max, Bytes& plain) {
    const auto frame = zstd::frame_info(packed);
    if (!frame || frame->plain_bytes > bytes_max) return Error{Errc::corrupt};
    const ByteView rest = packed.subspan(frame->bytes);
    if (std::any_of(rest.begin(), rest.end(), [](base::Byte byte) { return byte != 0; })) return Error{Errc::corrupt};
    plain.resize(frame->plain_bytes);
    return zstd_.decompress(packed.first(frame->bytes), plain);
}

}  // namespace sluice::spool
