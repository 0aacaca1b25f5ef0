#include "gateway/spool_wiring.hpp"

namespace sluice::gateway {

static_assert(static_cast<int>(config::ClassDrop::newest) == static_cast<int>(spool::DropPolicy::newest));

std::vector<EventStream> event_streams(const config::GatewayConfig& config) {
    const auto& classes = config.uplink.classes;
    const bool main_by_default = config.uplink.configured() || config.uplinks.empty();
    std::vector<EventStream> out;
    for (std::size_t i = 0; i < classes.size(); ++i) {
        const bool used = classes[i].to.empty() ? main_by_default : classes[i].goes_to(config::kMainUplink);
        out.push_back({i, 0, classes[i].name, used});
    }
    for (std::size_t n = 0; n < config.uplinks.size(); ++n) {
        const std::string& id = config.uplinks[n].id;
        for (std::size_t i = 0; i < classes.size(); ++i) {
            if (classes[i].goes_to(id)) out.push_back({i, n + 1, classes[i].name + "@" + id});
        }
    }
    return out;
}

std::pair<std::string_view, std::string_view> split_stream(std::string_view name) {
    const std::size_t at = name.find('@');
    if (at == std::string_view::npos) return {name, config::kMainUplink};
    return {name.substr(0, at), name.substr(at + 1)};
}

spool::Options spool_options(const config::GatewayConfig& config) {
    spool::Options out;
    out.directory = config.gateway.data.value + "/spool";
    out.bytes_max = config.spool.max_bytes;
    out.compress = config.spool.compress;
    for (const EventStream& stream : event_streams(config)) {
        const config::ClassConfig& each = config.uplink.classes[stream.event_class];
        out.classes.push_back({.name = stream.name,
                               .priority = each.priority,
                               .time_to_live = each.ttl,
                               .share_percent = each.max_share,
                               .drop = static_cast<spool::DropPolicy>(each.drop)});
    }
    return out;
}

}  // namespace sluice::gateway
