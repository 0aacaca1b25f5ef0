#include "gateway/source_address.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"

namespace sluice::gateway {

access::SourceAddress source_address(const posix::PeerAddress& peer) {
    constexpr access::SourceAddress kVersion4 = std::uint64_t{0xFF} << 56;  // nobody comes from ff00::/8
    constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    const bool mapped = peer.v6 && std::equal(kMapped.begin(), kMapped.end(), peer.ip.begin());
    if (!peer.v6 || mapped) return kVersion4 | base::load_le<std::uint32_t>(peer.ip.data() + (mapped ? 12 : 0));
    return base::load_le<std::uint64_t>(peer.ip.data());
}

}  // namespace sluice::gateway
