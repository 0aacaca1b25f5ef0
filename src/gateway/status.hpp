// The gateway's account of itself as JSON: GET /api/v1/status.
#pragma once

#include <string>

#include "gateway/backbone.hpp"
#include "gateway/bridge_board.hpp"
#include "gateway/key_desk.hpp"

namespace sluice::gateway {

struct StatusInput {
    std::string id;
    double uptime_s = 0;
    std::string uplink_url;  ///< empty: no cloud configured
    double price_per_million = 0;
    double readings_per_s = 0;
    std::uint64_t connections = 0;
    std::uint64_t malformed = 0, bad_value = 0, late = 0, state_full = 0, queue_full = 0, denied = 0;
};

/// {"readings_in","bytes_in","events":{class:{"created","delivered","waiting","dropped":{reason:n}}},"bytes_up"}
[[nodiscard]] std::string ledger_json(const BackboneView& view);

/// The whole of /api/v1/status; every documented key is always there.
[[nodiscard]] std::string status_json(const StatusInput& input, const BackboneView& view, const BridgeList& bridges, const KeyView& keys);

/// Of `uplink`; zeroes where there is none.
[[nodiscard]] uplink::Stats main_uplink(const BackboneView& view);

/// What it would have cost to send every reading, and what it cost to send what was sent.
struct Cost {
    double sent_all = 0;
    double sent = 0;
};
[[nodiscard]] Cost cost_of(const BackboneView& view, double price_per_million);

}  // namespace sluice::gateway
