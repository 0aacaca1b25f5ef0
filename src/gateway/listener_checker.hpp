// TLS as the configuration reader sees it: certificates, keys and revocation lists are checked where their paths stand in the file.
#pragma once

#include "env/file_system.hpp"
#include "manage/config/ports.hpp"

namespace sluice::gateway {

class ListenerChecker final : public config::ListenerChecker {
public:
    explicit ListenerChecker(env::FileSystem& files) : files_(files) {}
    void check(const config::Listen& listen, config::Problems& problems) override;
    void check(const std::vector<config::BridgeConfig>& bridges, config::Problems& problems) override;
    void check(const config::Uplink& uplink, const std::string& key, config::Problems& problems) override;

private:
    env::FileSystem& files_;
};

}  // namespace sluice::gateway
