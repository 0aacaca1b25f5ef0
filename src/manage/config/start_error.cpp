#include "manage/config/start_error.hpp"

#include <fmt/format.h>

namespace sluice::config {

StartError first_error(const Problems& problems) {
    for (const auto& each : problems) {
        if (each.severity == Severity::error) return {each.at, each.key, each.message};
    }
    return {};
}

std::string listen_message(const std::string& address, const base::Error& error) {
    const bool file = address.starts_with("unix://");
    switch (error.code) {
        case base::Errc::in_use:
            if (file) return fmt::format("cannot listen on {}: another program listens there; stop it or choose another path", address);
            return fmt::format("cannot listen on {}: the port is in use by another program; stop it or choose another port", address);
        case base::Errc::exists:
            return fmt::format("cannot listen on {}: there is a file that is no socket; move it away or choose another path", address);
        case base::Errc::not_found:
            if (file) return fmt::format("cannot listen on {}: there is no such folder", address);
            return fmt::format("cannot listen on {}: no such address on this machine", address);
        case base::Errc::permission:
            if (file) return fmt::format("cannot listen on {}: not permitted by the folder", address);
            return fmt::format("cannot listen on {}: not permitted (ports below 1024 need rights)", address);
        default:
            return fmt::format("cannot listen on {}: {}", address, base::describe(error));
    }
}

}  // namespace sluice::config
