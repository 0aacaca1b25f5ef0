#include "cli/top_frame.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/printable.hpp"
#include "cli/table_text.hpp"

namespace sluice::cli {
namespace {

namespace json = boost::json;

struct OrderName {
    std::string_view name;
    TopOrder order;
};
constexpr std::array kOrders{OrderName{"rate", TopOrder::rate}, OrderName{"queue", TopOrder::queue}, OrderName{"name", TopOrder::name},
                             OrderName{"newest", TopOrder::newest}};

/// 0 where the answer has no such number: a gateway of another version still shows the rest.
double number(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || !value->is_number()) return 0;
    return value->is_double()  ? value->get_double()
           : value->is_int64() ? static_cast<double>(value->get_int64())
                               : static_cast<double>(value->get_uint64());
}
std::uint64_t count(const json::object& object, std::string_view key) {
    const double value = number(object, key);
    return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}
std::string text(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}
bool truth(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_bool() && value->get_bool();
}
const json::object& part(const json::object& object, std::string_view key) {
    static const json::object kNothing;
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_object() ? value->get_object() : kNothing;
}

TopClient read_client(const json::object& row) {
    TopClient client;
    client.client = text(row, "client");
    client.address = text(row, "address");
    client.protocol = text(row, "protocol");
    client.online = truth(row, "online");
    client.connected_s = number(row, "connected_s");
    client.messages_in = count(row, "messages_in");
    client.messages_out = count(row, "messages_out");
    client.subscriptions = count(row, "subscriptions");
    client.in_flight = count(row, "in_flight");
    client.queued = count(row, "queued");
    client.queued_bytes = count(row, "queued_bytes");
    return client;
}

bool before(const TopClient& a, const TopClient& b, TopOrder order) {
    switch (order) {
        case TopOrder::rate:
            return a.in_per_s + a.out_per_s > b.in_per_s + b.out_per_s;
        case TopOrder::queue:
            return a.queued + a.in_flight > b.queued + b.in_flight;
        case TopOrder::name:
            return a.client < b.client;
        case TopOrder::newest:
            return a.online != b.online ? a.online : a.connected_s < b.connected_s;
    }
    return false;
}

}  // namespace

std::string_view name(TopOrder order) { return kOrders[static_cast<std::size_t>(order)].name; }

std::optional<TopOrder> parse_top_order(std::string_view name) {
    for (const auto& row : kOrders)
        if (row.name == name) return row.order;
    return std::nullopt;
}

std::optional<TopSample> read_top_sample(std::string_view status, std::string_view clients, base::Monotonic at) {
    boost::system::error_code failed;
    const json::value told = json::parse(status, failed);
    if (failed || !told.is_object()) return std::nullopt;
    const json::value list = json::parse(clients, failed);
    if (failed || !list.is_object()) return std::nullopt;
    const json::object& object = told.get_object();
    TopSample out;
    out.at = at;
    out.id = text(object, "id");
    out.uptime_s = number(object, "uptime_s");
    out.readings_per_s = number(part(object, "rates"), "readings_per_s");
    out.uplink_connected = truth(part(object, "uplink"), "connected");
    out.uplink_url = text(part(object, "uplink"), "url");
    out.spool_events = count(part(object, "spool"), "events");
    out.spool_bytes = count(part(object, "spool"), "bytes");
    const json::object& ledger = part(object, "ledger");
    out.readings_in = count(ledger, "readings_in");
    for (const auto& each : part(ledger, "events")) {
        if (!each.value().is_object()) continue;
        const json::object& events = each.value().get_object();
        out.created += count(events, "created");
        out.delivered += count(events, "delivered");
        for (const auto& reason : part(events, "dropped"))
            if (reason.value().is_number()) out.dropped += reason.value().to_number<std::uint64_t>(failed);
    }
    out.sessions = count(list.get_object(), "total");
    const auto* rows = list.get_object().if_contains("clients");
    if (rows == nullptr || !rows->is_array()) return std::nullopt;
    for (const json::value& row : rows->get_array())
        if (row.is_object()) out.clients.push_back(read_client(row.get_object()));
    return out;
}

void set_rates(TopSample& now, const TopSample& before) {
    const double seconds = std::chrono::duration<double>(now.at - before.at).count();
    if (seconds <= 0) return;
    std::unordered_map<std::string_view, const TopClient*> known;
    for (const TopClient& client : before.clients) known.emplace(client.client, &client);
    for (TopClient& client : now.clients) {
        const auto found = known.find(client.client);
        if (found == known.end()) continue;
        const auto rate = [seconds](std::uint64_t later, std::uint64_t earlier) {
            return later < earlier ? 0.0 : static_cast<double>(later - earlier) / seconds;  // smaller: counted anew
        };
        client.in_per_s = rate(client.messages_in, found->second->messages_in);
        client.out_per_s = rate(client.messages_out, found->second->messages_out);
    }
}

std::string top_frame(TopSample sample, const TopView& view) {
    std::string out;
    std::size_t lines = 0;
    const auto line = [&](std::string_view text) {
        if (lines++ < view.lines) out += shortened_to(text, view.columns) + "\n";
    };
    const auto online = std::count_if(sample.clients.begin(), sample.clients.end(), [](const TopClient& one) { return one.online; });
    line(fmt::format("{}  up {}  {:.0f} readings/s, {} in all  events: {} made, {} delivered, {} dropped", sample.id,
                     duration_text(sample.uptime_s), sample.readings_per_s, sample.readings_in, sample.created, sample.delivered,
                     sample.dropped));
    line(fmt::format("uplink {}  spool {} events, {}  sessions {}, {} of the {} shown connected",
                     sample.uplink_url.empty() ? "none"
                     : sample.uplink_connected ? "connected"
                                               : "DOWN",
                     sample.spool_events, size_text(sample.spool_bytes), sample.sessions, online, sample.clients.size()));
    line("");
    line(fmt::format("{:<30} {:<21} {:<6} {:>8} {:>8} {:>7} {:>7} {:>5} {:>8}", "CLIENT", "ADDRESS", "MQTT", "IN/s", "OUT/s", "FLIGHT",
                     "QUEUED", "SUBS", "SINCE"));
    std::sort(sample.clients.begin(), sample.clients.end(), [&](const TopClient& a, const TopClient& b) {
        if (before(a, b, view.order)) return true;
        return !before(b, a, view.order) && a.client < b.client;
    });
    for (const TopClient& client : sample.clients) {
        if (lines >= view.lines) break;
        // fmt pads by characters, as they are seen.
        line(fmt::format("{:<30} {:<21} {:<6} {:>8.1f} {:>8.1f} {:>7} {:>7} {:>5} {:>8}", shortened_to(printable(client.client), 30),
                         client.online ? client.address : "(away)", client.protocol, client.in_per_s, client.out_per_s, client.in_flight,
                         client.queued, client.subscriptions, client.online ? duration_text(client.connected_s) : ""));
    }
    return out;
}

std::string top_json(const TopSample& sample) {
    json::array clients;
    for (const TopClient& client : sample.clients)
        clients.push_back(json::object{{"client", client.client},
                                       {"address", client.address},
                                       {"protocol", client.protocol},
                                       {"online", client.online},
                                       {"connected_s", client.connected_s},
                                       {"messages_in", client.messages_in},
                                       {"messages_out", client.messages_out},
                                       {"in_per_s", client.in_per_s},
                                       {"out_per_s", client.out_per_s},
                                       {"subscriptions", client.subscriptions},
                                       {"in_flight", client.in_flight},
                                       {"queued", client.queued},
                                       {"queued_bytes", client.queued_bytes}});
    return json::serialize(json::object{{"id", sample.id},
                                        {"uptime_s", sample.uptime_s},
                                        {"readings_per_s", sample.readings_per_s},
                                        {"readings_in", sample.readings_in},
                                        {"uplink_connected", sample.uplink_connected},
                                        {"spool_events", sample.spool_events},
                                        {"spool_bytes", sample.spool_bytes},
                                        {"events_created", sample.created},
                                        {"events_delivered", sample.delivered},
                                        {"events_dropped", sample.dropped},
                                        {"sessions", sample.sessions},
                                        {"clients", std::move(clients)}});
}

}  // namespace sluice::cli
