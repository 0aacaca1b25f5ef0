#include "codec/websocket/frame.hpp"

#include <algorithm>
#include <cstring>

namespace sluice::websocket {
namespace {

bool is_known(unsigned opcode) { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

}  // namespace

ParsedHeader parse_header(base::ByteView in, Side sender) {
    if (in.empty()) return {HeaderStatus::incomplete};
    ParsedHeader out{HeaderStatus::complete};
    const unsigned opcode = in[0] & 0x0FU;
    if ((in[0] & 0x70U) != 0 || !is_known(opcode)) return {HeaderStatus::protocol_error};
    out.header.last = (in[0] & 0x80U) != 0;
    out.header.opcode = static_cast<Opcode>(opcode);
    if (out.header.is_control() && !out.header.last) return {HeaderStatus::protocol_error};
    if (in.size() < 2) return {HeaderStatus::incomplete};
    const bool masked = (in[1] & 0x80U) != 0;
    if (masked != (sender == Side::client)) return {HeaderStatus::protocol_error};
    const unsigned shown = in[1] & 0x7FU;
    if (out.header.is_control() && shown > kControlBytesMax) return {HeaderStatus::protocol_error};
    const std::size_t more = shown == 126 ? 2 : shown == 127 ? 8 : 0;
    if (in.size() < 2 + more) return {HeaderStatus::incomplete};
    std::uint64_t length = more == 0 ? shown : 0;
    for (std::size_t i = 0; i < more; ++i) length = length << 8 | in[2 + i];
    if ((more == 2 && length < 126) || (more == 8 && length <= 0xFFFF)) return {HeaderStatus::protocol_error};
    if (length > kFrameBytesMax) return {HeaderStatus::too_big};
    out.header.length = length;
    out.size = 2 + more + (masked ? out.header.mask.size() : 0);
    if (in.size() < out.size) return {HeaderStatus::incomplete};
    if (masked) std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(2 + more), 4, out.header.mask.begin());
    return out;
}

void append_header(base::Bytes& to, Opcode opcode, std::uint64_t length, const std::array<base::Byte, 4>* mask) {
    const unsigned masked = mask != nullptr ? 0x80U : 0U;
    to.push_back(static_cast<base::Byte>(0x80U | static_cast<unsigned>(opcode)));
    const std::size_t more = length < 126 ? 0 : length <= 0xFFFF ? 2 : 8;
    to.push_back(static_cast<base::Byte>(masked | (more == 0 ? static_cast<unsigned>(length) : more == 2 ? 126U : 127U)));
    for (std::size_t i = more; i > 0; --i) to.push_back(static_cast<base::Byte>(length >> (8 * (i - 1))));
    if (mask != nullptr) base::append(to, base::ByteView(*mask));
}

void unmask(base::Byte* bytes, std::size_t count, const std::array<base::Byte, 4>& mask, std::uint64_t at) {
    // Eight bytes at a time, with the mask turned to where the payload stands.
    std::array<base::Byte, 8> turned{};
    for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = mask[(at + i) % 4];
    std::uint64_t wide = 0;
    std::memcpy(&wide, turned.data(), sizeof wide);
    std::size_t i = 0;
    for (; i + sizeof wide <= count; i += sizeof wide) {
        std::uint64_t piece = 0;
        std::memcpy(&piece, bytes + i, sizeof piece);
        piece ^= wide;
        std::memcpy(bytes + i, &piece, sizeof piece);
    }
    for (; i < count; ++i) bytes[i] = static_cast<base::Byte>(bytes[i] ^ turned[i % 4]);
}

}  // namespace sluice::websocket
