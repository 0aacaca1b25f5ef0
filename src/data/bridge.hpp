// Words that bridges, hubs and other gateways' bridges exchange: docs/bridge.md.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::data {

/// Client ids of a gateway's own bridges in its hub: nobody else may use such a one. Sessions of theirs never expire and are never evicted.
inline constexpr std::string_view kBridgeClientPrefix = "$bridge/";
[[nodiscard]] constexpr bool is_bridge_client(std::string_view client) { return client.starts_with(kBridgeClientPrefix); }

/// User property of a PUBLISH, one for each gateway that the message has been at, in order: a gateway that finds itself there has it
/// already.
inline constexpr std::string_view kBridgePath = "sluice-path";
/// More gateways than this in a path: the message goes no further.
inline constexpr std::size_t kBridgePathMax = 16;

/// User property of a bridge's CONNECT, with the id of its gateway. A hub that knows its own gateway's id answers with the other one.
inline constexpr std::string_view kBridgeFrom = "sluice-bridge";
inline constexpr std::string_view kBridgeGateway = "sluice-gateway";

/// User properties of a bridge's CONNECT to its own hub: limits of what waits for it; that the publishes whose PUBREL is to come are to be
/// forgotten (the remote session that they belong to is gone); that it will send no SUBSCRIBE, so that an earlier one's filters end.
inline constexpr std::string_view kBridgeQueueMessages = "queue-messages";
inline constexpr std::string_view kBridgeQueueBytes = "queue-bytes";
inline constexpr std::string_view kBridgeForget = "forget-received";
inline constexpr std::string_view kBridgeInwards = "inwards-only";

}  // namespace sluice::data
