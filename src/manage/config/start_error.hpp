// Why a daemon did not start, said at the place in the configuration that it is about. For both tiers.
#pragma once

#include <string>

#include "base/error.hpp"
#include "manage/config/problem.hpp"

namespace sluice::config {

struct StartError {
    Position at;
    std::string key;
    std::string message;
};

/// The first error among problems; empty where there is none.
[[nodiscard]] StartError first_error(const Problems& problems);

/// "cannot listen on tcp://127.0.0.1:1883: the port is in use by another program; …"
[[nodiscard]] std::string listen_message(const std::string& address, const base::Error& error);

}  // namespace sluice::config
