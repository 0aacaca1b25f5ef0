// The uplink as the configuration wants it.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "env/clock.hpp"
#include "env/file_system.hpp"
#include "flow/spool/spool.hpp"
#include "flow/uplink/uplink.hpp"
#include "gateway/cloud_connection.hpp"
#include "manage/config/gateway_config.hpp"
#include "manage/config/problem.hpp"

namespace sluice::gateway {

/// `classes`: of the spool, those that older configurations left in it too: what waits in them drains.
[[nodiscard]] uplink::Options uplink_options(const config::Uplink& from, const std::vector<spool::ClassOptions>& classes);
/// Rule id and JSON of one event: a larger one this cloud would never take.
[[nodiscard]] std::size_t event_bytes_max(const config::Uplink& from);
[[nodiscard]] std::unique_ptr<uplink::Dialect> make_dialect(const config::GatewayConfig& config);
/// Null: there is no cloud, or `problems` says what is wrong with its certificates.
/// `clock`: for passwords that end some time.
[[nodiscard]] CloudConnector make_connector(const config::GatewayConfig& config, env::FileSystem& files, const env::Clock& clock,
                                            config::Problems& problems);

}  // namespace sluice::gateway
