// Bridges to other brokers, as configured: docs/bridge.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "manage/config/located_text.hpp"

namespace sluice::config {

enum class BridgeDirection : std::uint8_t { in, out, both };
enum class BridgeVersion : std::uint8_t { automatic, v5, v311 };

/// One entry of `bridges[].topics`. Both filters, prefix and filter together, are valid.
struct BridgeTopic {
    BridgeDirection direction = BridgeDirection::out;
    std::string filter{};  ///< empty: the prefixes are the topics
    std::uint8_t qos = 1;
    std::string local_prefix{};
    std::string remote_prefix{};
    friend bool operator==(const BridgeTopic&, const BridgeTopic&) = default;
};

struct BridgeConfig {
    Located name;     ///< [A-Za-z0-9_-]{1,64}, unique
    std::string url;  ///< as written
    std::string host;
    std::uint16_t port = 0;
    bool tls = false;
    std::string client_id;  ///< absent in the file: the gateway's id, `-`, the name
    std::optional<std::string> user;
    std::optional<std::string> password;  ///< from `password` or the contents of `password_file`
    Path ca;
    Path cert;
    Path key;
    BridgeVersion version = BridgeVersion::automatic;
    bool clean_start = false;
    std::chrono::milliseconds keep_alive{60'000};
    std::uint32_t queue_messages = 10'000;
    std::uint64_t queue_bytes = 16 * 1024 * 1024;
    std::vector<BridgeTopic> topics;
    Place at;
    friend bool operator==(const BridgeConfig&, const BridgeConfig&) = default;
};

/// More would be more threads than a gateway should have.
inline constexpr std::size_t kBridgesMax = 16;
/// Maps of one bridge: they are looked through in order for each message.
inline constexpr std::size_t kBridgeTopicsMax = 100;

}  // namespace sluice::config
