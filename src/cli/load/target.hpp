// Where to publish: `mqtt://HOST:PORT`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace sluice::load {

struct Target {
    std::string host;
    std::uint16_t port = 1883;
    friend bool operator==(const Target&, const Target&) = default;
};

/// `mqtt://HOST`, `mqtt://HOST:PORT`, `mqtt://[IPV6]:PORT`; the scheme may be left out. Errors: invalid; unsupported (another scheme).
[[nodiscard]] base::Result<Target> parse_target(std::string_view url);

/// "nothing listens at mqtt://127.0.0.1:1883: is the gateway running?": for people, from the failure of a Fleet or a Subscriber.
[[nodiscard]] std::string explain_failure(const base::Error& failure, const Target& target);

}  // namespace sluice::load
