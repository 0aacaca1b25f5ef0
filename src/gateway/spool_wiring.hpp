// The spool as the configuration wants it: which classes it has, and which cloud gets what of which.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flow/spool/spool.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {

/// A class of the spool: what one cloud gets of one class of events.
struct EventStream {
    std::size_t event_class = 0;  ///< index into uplink.classes
    std::size_t uplink = 0;       ///< 0: `uplink`; n: the n-th of `uplinks`
    std::string name;             ///< in the spool: the class's own, or CLASS@UPLINK
    bool used = true;             ///< false: no event goes here (any more); what waits drains
};
/// In the order of the spool's classes. First those of `uplink` as they stand in uplink.classes, so that an event's class is also theirs.
[[nodiscard]] std::vector<EventStream> event_streams(const config::GatewayConfig& config);

/// Class and uplink of a class of the spool: `alert@plant` is `alert` of `plant`, `alert` is of `main`.
[[nodiscard]] std::pair<std::string_view, std::string_view> split_stream(std::string_view name);

/// For the gateway; who only looks sets `read_only`.
[[nodiscard]] spool::Options spool_options(const config::GatewayConfig& config);

/// Why the spool does not open with Errc::limit, and what to do. `remembered`: what it has, opened with `read_only`; `folder`: where it is.
[[nodiscard]] std::string too_many_classes(const spool::Stats& remembered, const config::GatewayConfig& config, const std::string& folder);

}  // namespace sluice::gateway
