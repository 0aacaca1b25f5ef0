// The topics and identities a gateway uses towards its cloud: docs/formats/wire.md, "Transport".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::wire {

inline constexpr std::size_t kGatewayIdBytesMax = 64;
inline constexpr std::string_view kTopicRoot = "$sluice/v1/";
inline constexpr std::string_view kClientPrefix = "gw:";
inline constexpr std::string_view kOfflineStatus = R"({"online":false})";

enum class Channel : std::uint8_t { events, status };

/// `[A-Za-z0-9_-]{1,64}`
[[nodiscard]] bool is_gateway_id(std::string_view id);

/// `$sluice/v1/<gateway>/events` or `…/status`.
[[nodiscard]] std::string topic(std::string_view gateway, Channel channel);

/// `gw:<gateway>`
[[nodiscard]] std::string client_id(std::string_view gateway);

struct Address {
    bool known = false;        ///< false: not a topic of this format (the other fields are empty)
    std::string_view gateway;  ///< borrows from the topic
    Channel channel = Channel::events;
};
[[nodiscard]] Address parse_topic(std::string_view topic);

}  // namespace sluice::wire
