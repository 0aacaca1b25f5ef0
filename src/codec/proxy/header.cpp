#include "codec/proxy/header.hpp"

#include <algorithm>

namespace sluice::proxy {
namespace {

constexpr std::array<base::Byte, 12> kSignature{0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};
constexpr std::size_t kFixedBytes = 16;  // signature, version and command, family and transport, length

/// By the upper four bits of byte 14. `address_bytes`: source and destination with their ports.
struct FamilyRow {
    Family family;
    std::size_t address_bytes;
    std::size_t ip_bytes;
};
constexpr std::array<FamilyRow, 4> kFamilies{
    {{Family::unspecified, 0, 0}, {Family::v4, 12, 4}, {Family::v6, 36, 16}, {Family::unix_socket, 216, 0}}};

constexpr base::Byte kStream = 1;

Parsed malformed(std::string_view problem) { return {.status = ParseStatus::malformed, .problem = problem}; }

std::size_t big_endian(base::ByteView in, std::size_t at) { return std::size_t{in[at]} << 8 | in[at + 1]; }

}  // namespace

Parsed parse(base::ByteView in) {
    const std::size_t known = std::min(in.size(), kSignature.size());
    if (!std::equal(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(known), kSignature.begin())) {
        return malformed("it does not begin with a PROXY header of version 2");
    }
    if (in.size() > 12) {
        if (in[12] >> 4 != 2) return malformed("the header's version is not 2");
        if ((in[12] & 0x0FU) > 1) return malformed("the header's command is neither LOCAL nor PROXY");
    }
    if (in.size() < kFixedBytes) return {.status = ParseStatus::incomplete};
    const std::size_t size = kFixedBytes + big_endian(in, 14);
    if (size > kHeaderBytesMax) return malformed("the header is longer than 4096 bytes");
    Parsed out{.status = ParseStatus::complete, .size = size};
    out.header.local = (in[12] & 0x0FU) == 0;
    // A LOCAL header says nothing about addresses: whatever stands there is skipped (§2.2).
    if (!out.header.local) {
        const std::size_t family = in[13] >> 4;
        if (family >= kFamilies.size()) return malformed("the header's address family is unknown");
        const FamilyRow& row = kFamilies[family];
        if (row.family != Family::unspecified && (in[13] & 0x0FU) != kStream) return malformed("the header is of a datagram");
        if (size < kFixedBytes + row.address_bytes) return malformed("the header is too short for its addresses");
        if (in.size() < size) return {.status = ParseStatus::incomplete};
        out.header.family = row.family;
        std::copy_n(in.begin() + kFixedBytes, row.ip_bytes, out.header.ip.begin());
        if (row.ip_bytes != 0) out.header.port = static_cast<std::uint16_t>(big_endian(in, kFixedBytes + 2 * row.ip_bytes));
    }
    if (in.size() < size) return {.status = ParseStatus::incomplete};
    return out;
}

}  // namespace sluice::proxy
