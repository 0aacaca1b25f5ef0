// TLS of connections that the gateway makes: its files read, and what is wrong with them at their places in the configuration.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "env/file_system.hpp"
#include "env/posix/tls_client.hpp"
#include "manage/config/gateway_config.hpp"
#include "manage/config/problem.hpp"

namespace sluice::gateway {

/// nullptr: `problems` says why. `key`: `bridges[0]`. For a bridge with `tls` only.
[[nodiscard]] std::shared_ptr<posix::TlsClient> make_bridge_tls(const config::BridgeConfig& bridge, const std::string& key,
                                                                env::FileSystem& files, config::Problems& problems);
/// The same for an uplink. `key`: `uplink`, `uplinks.plant`.
[[nodiscard]] std::shared_ptr<posix::TlsClient> make_uplink_tls(const config::Uplink& uplink, const std::string& key,
                                                                env::FileSystem& files, config::Problems& problems);

}  // namespace sluice::gateway
