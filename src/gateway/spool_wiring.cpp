#include "gateway/spool_wiring.hpp"

namespace sluice::gateway {

static_assert(static_cast<int>(config::ClassDrop::newest) == static_cast<int>(spool::DropPolicy::newest));

spool::Options spool_options(const config::GatewayConfig& config) {
    spool::Options out;
    out.directory = config.gateway.data.value + "/spool";
    out.bytes_max = config.spool.max_bytes;
    for (const auto& each : config.uplink.classes) {
        out.classes.push_back({.name = each.name,
                               .priority = each.priority,
                               .time_to_live = each.ttl,
                               .share_percent = each.max_share,
                               .drop = static_cast<spool::DropPolicy>(each.drop)});
    }
    return out;
}

}  // namespace sluice::gateway
