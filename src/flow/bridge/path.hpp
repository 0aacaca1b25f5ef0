// The gateways that a message has been at, as user properties of it (data::kBridgePath): what ends loops that no single bridge can see.
#pragma once

#include <string_view>

#include "codec/mqtt/properties.hpp"

namespace sluice::bridge {

/// Has the message been at this gateway, or at so many that it goes no further? An empty id is no gateway.
[[nodiscard]] bool has_been_at(const mqtt::Properties& properties, std::string_view gateway);
[[nodiscard]] bool is_path_full(const mqtt::Properties& properties);

/// Writes what goes over from one broker to the other: all but what belongs to one connection (alias, subscription identifiers), and,
/// unless it is empty, `gateway` at the end of the path if it does not stand there. The result views `buffer`, which is cleared first.
[[nodiscard]] mqtt::Properties passed_on(const mqtt::Properties& from, std::string_view gateway, base::Bytes& buffer);

}  // namespace sluice::bridge
