// The uplink as the configuration wants it.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "env/file_system.hpp"
#include "flow/spool/spool.hpp"
#include "flow/uplink/uplink.hpp"
#include "gateway/cloud_link.hpp"
#include "manage/config/gateway_config.hpp"
#include "manage/config/problem.hpp"

namespace sluice::gateway {

/// `classes`: of the spool, those that older configurations left in it too: what waits in them drains.
[[nodiscard]] uplink::Options uplink_options(const config::Uplink& from, const std::vector<spool::ClassOptions>& classes);
/// Rule id and JSON of one event: a larger one this cloud would never take.
[[nodiscard]] std::size_t event_bytes_max(const config::Uplink& from);
[[nodiscard]] std::unique_ptr<uplink::Dialect> make_dialect(const config::GatewayConfig& config);
/// `problems` says what is wrong with its certificates; then its `tls` is null though it needs some.
[[nodiscard]] CloudLink::Options link_options(const config::Uplink& from, env::FileSystem& files, config::Problems& problems);

}  // namespace sluice::gateway
