#include "cli/load/target.hpp"

#include <charconv>

#include <fmt/format.h>

namespace sluice::load {

base::Result<Target> parse_target(std::string_view url) {
    if (const auto scheme = url.find("://"); scheme != std::string_view::npos) {
        if (url.substr(0, scheme) != "mqtt") return base::Error{base::Errc::unsupported};
        url.remove_prefix(scheme + 3);
    }
    if (!url.empty() && url.back() == '/') url.remove_suffix(1);
    Target target;
    std::string_view port;
    if (!url.empty() && url.front() == '[') {
        const auto close = url.find(']');
        if (close == std::string_view::npos) return base::Error{base::Errc::invalid};
        target.host = url.substr(1, close - 1);
        port = url.substr(close + 1);
    } else {
        const auto colon = url.find(':');
        target.host = url.substr(0, colon);
        port = colon == std::string_view::npos ? std::string_view{} : url.substr(colon);
    }
    if (target.host.empty() || target.host.find_first_of("/ @?#") != std::string::npos) return base::Error{base::Errc::invalid};
    if (!port.empty()) {
        if (port.front() != ':') return base::Error{base::Errc::invalid};
        port.remove_prefix(1);
        const auto read = std::from_chars(port.data(), port.data() + port.size(), target.port);
        if (read.ec != std::errc{} || read.ptr != port.data() + port.size() || target.port == 0) return base::Error{base::Errc::invalid};
    }
    return target;
}

std::string explain_failure(const base::Error& failure, const Target& target) {
    const std::string at = fmt::format("mqtt://{}:{}", target.host, target.port);
    switch (failure.code) {
        case base::Errc::refused:
            return fmt::format("nothing listens at {}: is the gateway running, and is that its port?", at);
        case base::Errc::not_found:
            return fmt::format("{}: no such host", at);
        case base::Errc::denied:
            return fmt::format("{} does not let us in: it wants credentials, or its limit of connections is reached", at);
        case base::Errc::closed:
            return fmt::format("{} closed the connection: is that an MQTT port, and is its limit of connections high enough?", at);
        default:
            return fmt::format("{}: {}", at, base::describe(failure));
    }
}

}  // namespace sluice::load
