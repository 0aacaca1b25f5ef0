// What the uplink over Kafka is told.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::gateway {

struct KafkaOptions {
    std::vector<std::string> brokers{};  ///< HOST:PORT; those that they name are known too
    std::string client_id{};             ///< for the brokers' own logs and quotas
    bool tls = false;
    std::string ca{};  ///< PEM; empty: the system's
    std::string cert{};
    std::string key{};
    std::string user{};  ///< empty: no SASL
    std::string password{};
    std::string mechanism = "PLAIN";  ///< of SASL
    std::string compression = "zstd";
    std::vector<std::string> topics{};  ///< known beforehand: all have to be there before anything is sent
    std::chrono::milliseconds ack_timeout{20'000};
    std::chrono::milliseconds keep_alive{30'000};
    std::uint32_t in_flight = 17;              ///< messages not yet acknowledged
    std::size_t batch_bytes_max = 128 * 1024;  ///< of several messages together in one request
};

}  // namespace sluice::gateway
