// One message as `sluice tap` prints it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "codec/mqtt/packets.hpp"

namespace sluice::cli {

struct TapMessage {
    const mqtt::Publish& packet;
    base::WallTime arrived;
    std::string_view shown{};                 ///< the payload, or what was asked for of it: printable
    std::optional<std::string_view> value{};  ///< the same as JSON, where it is more than the payload's text
    bool verbose = false;                     ///< with QoS and the properties of 5.0
};

/// "10:31:07.042 topic (retained) payload" in UTC.
[[nodiscard]] std::string tap_line(const TapMessage& message);

/// {"ts":ms,"topic":…,"qos":…,"retain":…,"payload":"text"}; a payload that is not UTF-8 is "payload_base64". "value" where there is one,
/// "properties" if verbose.
[[nodiscard]] std::string tap_json(const TapMessage& message);

}  // namespace sluice::cli
