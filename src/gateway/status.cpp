#include "gateway/status.hpp"

#include <algorithm>
#include <string>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "codec/mqtt/packet.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {
namespace {

namespace json = boost::json;

json::object dropped_json(const base::DropCounts& dropped) {
    json::object out;
    for (const auto& row : base::kDropReasonTable) {
        if (const auto count = dropped[static_cast<std::size_t>(row.reason)]; count != 0) out[row.name] = count;
    }
    return out;
}

json::object ledger_object(const BackboneView& view) {
    json::object events;
    for (const auto& each : view.spool.classes) {
        events[each.name] = json::object{
            {"created", each.created}, {"delivered", each.delivered}, {"waiting", each.waiting}, {"dropped", dropped_json(each.dropped)}};
    }
    return {{"readings_in", view.totals.readings_in},
            {"bytes_in", view.totals.bytes_in},
            {"events", events},
            {"bytes_up", view.totals.bytes_up}};
}

json::object spool_object(const spool::Stats& stats) {
    json::object classes;
    std::uint64_t waiting = 0;
    for (const auto& each : stats.classes) {
        waiting += each.waiting;
        classes[each.name] =
            json::object{{"events", each.waiting}, {"bytes", each.bytes}, {"bytes_max", each.bytes_max}, {"pending", each.pending}};
    }
    const double amplification =
        stats.bytes_accepted == 0 ? 0.0 : static_cast<double>(stats.bytes_written) / static_cast<double>(stats.bytes_accepted);
    return {{"events", waiting},
            {"bytes", stats.bytes_used},
            {"bytes_max", stats.bytes_max},
            {"bytes_accepted", stats.bytes_accepted},
            {"bytes_written", stats.bytes_written},
            {"write_amplification", amplification},
            {"degraded", stats.degraded},
            {"classes", classes}};
}

json::object keys_object(const KeyView& keys) {
    json::object needed;
    for (const auto number : keys.keys) {
        json::object holders;
        for (std::size_t i = 0; i < kKeyHolders; ++i) {
            for (const HeldKey& each : keys.held[i])
                if (each.key == number) holders[kKeyHolderNames[i]] = json::object{{"items", each.items}, {"bytes", each.bytes}};
        }
        needed[std::to_string(number)] = std::move(holders);
    }
    return {{"newest", keys.keys.back()}, {"older_bytes", keys.older_bytes()}, {"needed", needed}};
}

json::object bridge_object(const BridgeGauges& bridge) {
    const auto get = [](const auto& gauge) { return gauge.load(std::memory_order_relaxed); };
    const auto trouble = bridge::kTroubleNames[get(bridge.trouble)];
    const auto reason = static_cast<mqtt::ReasonCode>(get(bridge.reason));
    json::object dropped_in;
    json::object dropped_out{{"queue_full", get(bridge.queue_full)}};
    for (std::size_t i = 0; i < bridge::kDropNames.size(); ++i) {
        dropped_in[bridge::kDropNames[i]] = get(bridge.dropped_in[i]);
        dropped_out[bridge::kDropNames[i]] = get(bridge.dropped_out[i]);
    }
    return {{"name", bridge.name},
            {"url", bridge.url},
            {"connected", get(bridge.connected)},
            {"version", get(bridge.version) == 5 ? "5.0" : "3.1.1"},
            {"as_bridge", get(bridge.bridge_bit)},
            {"trouble", trouble},
            {"reason", reason == mqtt::ReasonCode::success ? std::string_view() : mqtt::name(reason)},
            {"connections", get(bridge.connections)},
            {"failures", get(bridge.failures)},
            {"filters_refused", get(bridge.filters_refused)},
            {"messages_in", get(bridge.messages_in)},
            {"messages_out", get(bridge.messages_out)},
            {"waiting", get(bridge.waiting)},
            {"echoes", get(bridge.echoes)},
            {"dropped_in", dropped_in},
            {"dropped_out", dropped_out}};
}

json::object uplink_object(const std::string& url, const uplink::Stats& stats) {
    json::array standing;
    for (const uplink::HardEvent& each : stats.standing)
        standing.push_back(json::object{{"class", each.class_name}, {"seq", each.sequence.value()}, {"bytes", each.size.bytes}});
    return {{"connected", stats.connected},
            {"url", url},
            {"trouble", uplink::name(stats.trouble)},
            {"refusal", stats.refusal},
            {"connections", stats.connections},
            {"failures", stats.failures},
            {"refusals", stats.refusals},
            {"stalls", stats.stalls},
            {"messages_sent", stats.messages_sent},
            {"events_sent", stats.events_sent},
            {"events_acked", stats.events_acked},
            {"standing", std::move(standing)}};
}

}  // namespace

uplink::Stats main_uplink(const BackboneView& view) {
    const auto main =
        std::find_if(view.uplinks.begin(), view.uplinks.end(), [](const auto& each) { return each.id == config::kMainUplink; });
    return main == view.uplinks.end() ? uplink::Stats() : main->stats;
}

Cost cost_of(const BackboneView& view, double price_per_million) {
    std::uint64_t delivered = 0;
    for (const auto& each : view.spool.classes) delivered += each.delivered;
    return {static_cast<double>(view.totals.readings_in) * price_per_million / 1e6,
            static_cast<double>(delivered) * price_per_million / 1e6};
}

std::string ledger_json(const BackboneView& view) { return json::serialize(ledger_object(view)); }

std::string status_json(const StatusInput& input, const BackboneView& view, const BridgeList& bridges, const KeyView& keys) {
    const Cost cost = cost_of(view, input.price_per_million);
    json::object out;
    out["id"] = input.id;
    out["uptime_s"] = input.uptime_s;
    out["uplink"] = uplink_object(input.uplink_url, main_uplink(view));
    json::array uplinks;
    for (const UplinkView& each : view.uplinks) {
        if (each.id == config::kMainUplink) continue;
        json::object row{{"id", each.id}};
        for (auto& [name, value] : uplink_object(each.url, each.stats)) row.emplace(name, value);
        uplinks.push_back(std::move(row));
    }
    out["uplinks"] = std::move(uplinks);
    out["spool"] = spool_object(view.spool);
    out["ledger"] = ledger_object(view);
    out["readings"] = json::object{{"connections", input.connections},
                                   {"dropped", json::object{{"malformed", input.malformed},
                                                            {"bad_value", input.bad_value},
                                                            {"late", input.late},
                                                            {"state_full", input.state_full},
                                                            {"queue_full", input.queue_full},
                                                            {"denied", input.denied}}}};
    json::array bridge_rows;
    for (const auto& each : bridges) bridge_rows.push_back(bridge_object(*each));
    out["bridges"] = std::move(bridge_rows);
    out["keys"] = keys_object(keys);
    out["rates"] = json::object{{"readings_per_s", input.readings_per_s}};
    out["cost"] = json::object{{"price_per_million", input.price_per_million},
                               {"sent_all", cost.sent_all},
                               {"sent", cost.sent},
                               {"saved", cost.sent_all - cost.sent}};
    return json::serialize(out);
}

}  // namespace sluice::gateway
