// What reading a configuration needs from elsewhere.
#pragma once

#include "manage/config/gateway_config.hpp"
#include "manage/config/problem.hpp"

namespace sluice::config {

/// Checks what only the compiler of rules knows: SQL, and the {columns} of topic templates. Implemented where config and flow meet.
class RuleChecker {
public:
    virtual ~RuleChecker() = default;
    /// Adds a problem for each defect of `rules` (and later `functions`), at its place in the file: `rule.sql.position(offset)`,
    /// `destination.topic.position(offset)`. Rules whose SQL could not be read as text have an empty `sql.value` and are skipped.
    virtual void check(const GatewayConfig& config, Problems& problems) = 0;
};

/// Checks what only the TLS library knows: certificates, keys, revocation lists. Implemented where config and env/posix meet.
class ListenerChecker {
public:
    virtual ~ListenerChecker() = default;
    /// Of either tier. Adds a problem for each defect, at the place of the path in the file. Files that are not there are reported already.
    virtual void check(const Listen& listen, Problems& problems) = 0;
    /// The same for bridges.
    virtual void check(const std::vector<BridgeConfig>& bridges, Problems& problems) = 0;
    /// `key`: where the uplink stands.
    virtual void check(const Uplink& uplink, const std::string& key, Problems& problems) = 0;
};

}  // namespace sluice::config
