// A client's address as one number, for whoever counts by address.
#pragma once

#include "env/posix/peer_address.hpp"
#include "manage/access/back_off.hpp"

namespace sluice::gateway {

/// An IPv4 address, also one inside an IPv6 address (RFC 4291 §2.5.5.2), or the network part of an IPv6 address.
[[nodiscard]] access::SourceAddress source_address(const posix::PeerAddress& peer);

}  // namespace sluice::gateway
