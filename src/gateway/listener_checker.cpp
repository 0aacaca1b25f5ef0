#include "gateway/listener_checker.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "gateway/client_tls.hpp"
#include "gateway/connection_layers.hpp"

namespace sluice::gateway {

namespace {

/// A file that is not there is reported already.
void add_unknown(config::Problems&& found, config::Problems& problems) {
    for (config::Problem& each : found) {
        const bool known = std::any_of(problems.begin(), problems.end(), [&each](const config::Problem& other) {
            return other.at == each.at && other.severity == config::Severity::error;
        });
        if (!known) problems.push_back(std::move(each));
    }
}

}  // namespace

void ListenerChecker::check(const config::Listen& listen, config::Problems& problems) {
    for (std::size_t i = 0; i < listen.mqtt.size(); ++i) {
        const config::MqttListener& listener = listen.mqtt[i];
        const bool complete =
            !listener.cert.empty() && !listener.key.empty() &&
            std::none_of(listener.sni.begin(), listener.sni.end(), [](const auto& each) { return each.cert.empty() || each.key.empty(); });
        if (!listener.is_tls() || !complete) continue;  // what is missing is reported
        config::Problems found;
        (void)make_tls_context(listener, fmt::format("listen.mqtt[{}]", i), files_, found);  // only its problems matter here
        add_unknown(std::move(found), problems);
    }
}

void ListenerChecker::check(const std::vector<config::BridgeConfig>& bridges, config::Problems& problems) {
    for (std::size_t i = 0; i < bridges.size(); ++i) {
        const config::BridgeConfig& bridge = bridges[i];
        if (!bridge.tls || bridge.cert.empty() != bridge.key.empty()) continue;  // what is missing is reported
        config::Problems found;
        (void)make_bridge_tls(bridge, fmt::format("bridges[{}]", i), files_, found);  // only its problems matter here
        add_unknown(std::move(found), problems);
    }
}

void ListenerChecker::check(const config::Uplink& uplink, const std::string& key, config::Problems& problems) {
    if (!uplink.configured() || !uplink.tls || uplink.cert.empty() != uplink.key.empty()) return;  // what is missing is reported
    config::Problems found;
    (void)make_uplink_tls(uplink, key, files_, found);  // only its problems matter here
    add_unknown(std::move(found), problems);
}

}  // namespace sluice::gateway
