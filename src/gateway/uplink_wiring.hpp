// The uplinks as the configuration wants them.
#pragma once

#include <optional>
#include <vector>

#include "env/clock.hpp"
#include "env/file_system.hpp"
#include "flow/spool/spool.hpp"
#include "gateway/backbone.hpp"
#include "manage/config/gateway_config.hpp"
#include "manage/config/problem.hpp"

namespace sluice::gateway {

/// `uplink` and `uplinks`, those that have a URL. `spooled`: the classes that the spool has, those that older configurations left in it
/// too: what waits in them drains to `uplink`, unless it was another's. Null, if `problems` says what is wrong with a certificate.
/// `clock`: for passwords that end some time.
[[nodiscard]] std::optional<std::vector<CloudPort::Options>> make_clouds(const config::GatewayConfig& config,
                                                                         const std::vector<spool::ClassOptions>& spooled,
                                                                         env::FileSystem& files, const env::Clock& clock,
                                                                         config::Problems& problems);
/// Where events of each class go.
[[nodiscard]] std::vector<std::vector<Backbone::Stream>> make_streams(const config::GatewayConfig& config);

}  // namespace sluice::gateway
