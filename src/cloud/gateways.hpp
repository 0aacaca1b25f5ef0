// Who is there: what the API tells about gateways. The only thing in the cloud that several threads share, hence the lock.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace sluice::cloud {

struct GatewayState {
    std::string id;
    bool online = false;
    base::WallTime last_seen{};
    std::string ledger;  ///< a JSON object, or empty: none came yet
};

/// Any thread. Held for a few map operations at a time, never while doing I/O.
class Gateways {
public:
    /// Hostile clients are refused at sign-in; this bounds what honest misconfiguration (a new id at each start) can fill. Further ids are
    /// stored like all others, only not shown.
    static constexpr std::size_t kMax = 100'000;

    /// From the store, at start: off line until they call.
    void restore(GatewayState state);
    void set_online(std::string_view gateway, bool online, base::WallTime at);
    /// `ledger` empty: keep the one there is.
    void seen(std::string_view gateway, base::WallTime at, std::string_view ledger);
    [[nodiscard]] std::vector<GatewayState> list() const;
    [[nodiscard]] std::size_t online() const;

private:
    GatewayState* find_or_make(std::string_view gateway);
    mutable std::mutex mutex_;
    std::map<std::string, GatewayState, std::less<>> gateways_;
};

}  // namespace sluice::cloud
