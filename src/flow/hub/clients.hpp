// What the hub tells people about its clients: one row a session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/time.hpp"
#include "flow/hub/ports.hpp"

namespace sluice::hub {

/// Views are valid during the call that hands it out.
struct ClientInfo {
    std::string_view client;
    ConnectionId connection{};  ///< 0: the client is away
    Peer peer{};                ///< of the connection
    base::Monotonic since{};    ///< connected: when its CONNECT was accepted
    std::uint8_t protocol = 0;  ///< 3, 4 or 5, as in CONNECT
    std::uint16_t keep_alive_seconds = 0;
    std::uint32_t expiry_seconds = 0;  ///< what the session lives without a connection
    std::uint64_t messages_in = 0;     ///< PUBLISH packets that came on this connection
    std::uint64_t messages_out = 0;    ///< PUBLISH packets sent in this session
    std::size_t subscriptions = 0;
    std::size_t in_flight = 0;  ///< QoS 1 and 2, sent and not acknowledged
    std::size_t queued = 0;     ///< behind those
    std::size_t queued_bytes = 0;
};

class ClientVisitor {
public:
    virtual ~ClientVisitor() = default;
    virtual void client(const ClientInfo& info) = 0;
};

}  // namespace sluice::hub
