#include "gateway/listener_checker.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "gateway/connection_layers.hpp"

namespace sluice::gateway {

void ListenerChecker::check(const config::Listen& listen, config::Problems& problems) {
    for (std::size_t i = 0; i < listen.mqtt.size(); ++i) {
        const config::MqttListener& listener = listen.mqtt[i];
        const bool complete =
            !listener.cert.empty() && !listener.key.empty() &&
            std::none_of(listener.sni.begin(), listener.sni.end(), [](const auto& each) { return each.cert.empty() || each.key.empty(); });
        if (!listener.is_tls() || !complete) continue;  // what is missing is reported
        config::Problems found;
        (void)make_tls_context(listener, fmt::format("listen.mqtt[{}]", i), files_, found);  // only its problems matter here
        for (config::Problem& each : found) {
            // A file that is not there is reported already.
            const bool known = std::any_of(problems.begin(), problems.end(), [&each](const config::Problem& other) {
                return other.at == each.at && other.severity == config::Severity::error;
            });
            if (!known) problems.push_back(std::move(each));
        }
    }
}

}  // namespace sluice::gateway
