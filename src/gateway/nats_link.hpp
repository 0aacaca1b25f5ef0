// NATS JetStream as the cloud, by the cnats library: each message is published with `Nats-Msg-Id` and acknowledged by the stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/cloud_connection.hpp"

namespace sluice::gateway {

struct NatsOptions {
    std::vector<std::string> servers;  ///< nats://HOST:PORT; those that a server names are tried too
    std::string name;                  ///< of this connection, for the server's own lists
    std::string user;                  ///< empty: none
    std::string password;
    std::string token;  ///< empty: none
    bool tls = false;
    std::string ca;  ///< PEM; empty: the system's
    std::string cert;
    std::string key;
    std::string stream;   ///< made where there is none of this name
    std::string subject;  ///< what it holds, with wildcards
    std::uint32_t replicas = 1;
    std::chrono::milliseconds ack_timeout{20'000};
    std::chrono::milliseconds keep_alive{30'000};
    std::uint32_t in_flight = 17;  ///< messages not yet acknowledged
};

[[nodiscard]] CloudConnector make_nats_connector(NatsOptions options);

}  // namespace sluice::gateway
