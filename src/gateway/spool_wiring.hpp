// The spool as the configuration wants it.
#pragma once

#include "flow/spool/spool.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {

/// For the gateway; who only looks sets `read_only`.
[[nodiscard]] spool::Options spool_options(const config::GatewayConfig& config);

}  // namespace sluice::gateway
