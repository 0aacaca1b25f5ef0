// The configuration of the cloud tier as plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "manage/config/listen.hpp"
#include "manage/config/located_text.hpp"

namespace sluice::config {

struct CloudIdentity {
    std::string id;  ///< [A-Za-z0-9_-]{1,64}
    Path data;       ///< made with mode 0700 by the daemon
    friend bool operator==(const CloudIdentity&, const CloudIdentity&) = default;
};

/// One entry of `auth.tokens`.
struct GatewayToken {
    std::string gateway;
    std::string token;  ///< from `token` or the contents of `token_file`
    Place at;
    friend bool operator==(const GatewayToken&, const GatewayToken&) = default;
};

/// A gateway with an entry must show its token, from anywhere. A gateway without one may sign in from loopback only, or from anywhere if
/// `anonymous: true` is written down.
struct CloudAuth {
    bool anonymous = false;
    std::vector<GatewayToken> tokens;
    friend bool operator==(const CloudAuth&, const CloudAuth&) = default;
};

enum class StoreKind : std::uint8_t { sqlite, postgres };
enum class BusKind : std::uint8_t { embedded, nats };

struct CloudLimits {
    std::uint32_t connections = 10'000;                    ///< gateways at a time
    std::chrono::milliseconds connect_timeout{10'000};     ///< from the TCP connection to a complete CONNECT
    std::chrono::milliseconds keep_alive_max{64'800'000};  ///< 18 h
    std::uint64_t payload = 4 * 1024 * 1024;               ///< bytes of one batch as it travels; docs/formats/wire.md bounds it too
    std::uint32_t in_flight = 64;                          ///< unacknowledged batches of one gateway
    std::uint64_t store_queue_bytes = 64 * 1024 * 1024;    ///< decoded, not yet committed, all gateways; then sockets are not read
    friend bool operator==(const CloudLimits&, const CloudLimits&) = default;
};

struct CloudConfig {
    std::string file;
    CloudIdentity cloud;
    Listen listen;
    CloudAuth auth;
    CloudLimits limits;
    StoreKind store = StoreKind::sqlite;
    std::string store_url;  ///< postgres://…: not built yet
    BusKind bus = BusKind::embedded;
    std::string bus_url;   ///< nats://…: not built yet
    std::string lake_url;  ///< file:///… or s3://…: not built yet; empty: none
    Log log;
    friend bool operator==(const CloudConfig&, const CloudConfig&) = default;
};

}  // namespace sluice::config
