#include "manage/config/start_error.hpp"

#include <fmt/format.h>

namespace sluice::config {

std::string listen_message(const std::string& address, const base::Error& error) {
    switch (error.code) {
        case base::Errc::in_use:
            return fmt::format("cannot listen on {}: the port is in use by another program; stop it or choose another port", address);
        case base::Errc::not_found:
            return fmt::format("cannot listen on {}: no such address on this machine", address);
        case base::Errc::permission:
            return fmt::format("cannot listen on {}: not permitted (ports below 1024 need rights)", address);
        default:
            return fmt::format("cannot listen on {}: {}", address, base::describe(error));
    }
}

}  // namespace sluice::config
