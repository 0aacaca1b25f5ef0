// `sluice tap`: a live view of topics.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "cli/exit.hpp"
#include "codec/mqtt/packets.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

void add_tap(CLI::App& app, Exit& exit);

/// "10:31:07.042 topic payload" in UTC. Text is printed with control characters escaped (a payload must not steer the terminal), anything
/// that is not UTF-8 as its size and first bytes.
[[nodiscard]] std::string tap_line(const mqtt::Publish& message, base::WallTime arrived);

/// {"ts":ms,"topic":…,"qos":…,"retain":…,"payload":"text"}; a payload that is not UTF-8 is "payload_base64".
[[nodiscard]] std::string tap_json(const mqtt::Publish& message, base::WallTime arrived);

}  // namespace sluice::cli
