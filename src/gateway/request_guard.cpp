#include "gateway/request_guard.hpp"

#include <string_view>

namespace sluice::gateway {

bool is_ours(const posix::HttpRequest& request) {
    std::string_view host = request.host;
    if (const auto colon = host.rfind(':'); colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos)
        host = host.substr(0, colon);
    const bool address = !host.empty() && host.find_first_not_of("0123456789abcdefABCDEF.:[]") == std::string_view::npos &&
                         (host.front() == '[' || (host.front() >= '0' && host.front() <= '9'));
    if (!address && host != "localhost") return false;
    return request.origin.empty() || request.origin == "http://" + request.host || request.origin == "https://" + request.host;
}

}  // namespace sluice::gateway
