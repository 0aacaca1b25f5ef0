#include "gateway/spool_wiring.hpp"

#include <algorithm>

#include <fmt/format.h>

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
    out.commits_when_full = false;  // the journal of rule state is written first, and the backbone bounds what it takes
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

std::string too_many_classes(const spool::Stats& remembered, const config::GatewayConfig& config, const std::string& folder) {
    const auto streams = event_streams(config);
    std::vector<std::string> fresh;
    for (const EventStream& each : streams) {
        const auto known = [&](const spool::ClassStats& row) { return row.name == each.name; };
        if (std::none_of(remembered.classes.begin(), remembered.classes.end(), known)) fresh.push_back(each.name);
    }
    std::vector<std::string> empty;
    std::vector<std::string> others;
    std::uint64_t waiting = 0;
    for (const spool::ClassStats& row : remembered.classes) {
        waiting += row.waiting;
        if (std::any_of(streams.begin(), streams.end(), [&](const EventStream& each) { return each.name == row.name; })) continue;
        if (row.acknowledged == row.last)
            empty.push_back(row.name);
        else
            others.push_back(fmt::format("{} ({} events wait)", row.name, row.waiting));
    }
    const auto list = [](const std::vector<std::string>& names) {
        return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
    };
    std::string out = fmt::format(
        "{} remembers {} names of classes, those that are gone but have had events included, and there can be {}: no room for {}. Of those "
        "that are not configured any more nothing is left of: {}; something is of: {}. Give an uplink or a class one of these names again, "
        "or begin a new spool: move {} away",
        folder, remembered.classes.size(), data::kClassesMax, list(fresh), list(empty), list(others), folder);
    if (waiting != 0)
        out += fmt::format(" once the {} events that wait are delivered with the old configuration, or saved by `sluice spool export`",
                           waiting);
    return out + " (the ledger's history begins anew)";
}

}  // namespace sluice::gateway
