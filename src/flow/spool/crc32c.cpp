#include "flow/spool/crc32c.hpp"

#include <array>

namespace sluice::spool {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
    constexpr std::uint32_t kReflectedPolynomial = 0x82f63b78;
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1U) != 0 ? kReflectedPolynomial : 0);
        table[i] = value;
    }
    return table;
}
constexpr auto kTable = make_table();

}  // namespace

std::uint32_t crc32c(base::ByteView bytes) {
    std::uint32_t crc = 0xffffffff;
    for (const base::Byte byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ byte) & 0xffU];
    return ~crc;
}

}  // namespace sluice::spool
