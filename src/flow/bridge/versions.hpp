// The versions of MQTT that a remote broker is asked for.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "codec/mqtt/version_choice.hpp"

namespace sluice::bridge {

/// Which versions are tried at the remote, and in which order.
enum class Protocol : std::uint8_t {
    automatic,  ///< 5.0, then 3.1.1 with the bridge bit, then plain 3.1.1
    v5,
    v311,  ///< with the bridge bit, then plain
};

using mqtt::Fallback;

[[nodiscard]] inline std::span<const mqtt::VersionChoice::Attempt> attempts(Protocol protocol) {
    using Attempt = mqtt::VersionChoice::Attempt;
    static constexpr std::array kAll{Attempt{mqtt::Version::v5, false}, Attempt{mqtt::Version::v311, true},
                                     Attempt{mqtt::Version::v311, false}};
    const std::span<const Attempt> all(kAll);
    return protocol == Protocol::v5 ? all.first(1) : protocol == Protocol::v311 ? all.subspan(1) : all;
}

}  // namespace sluice::bridge
