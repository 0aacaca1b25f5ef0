#include "gateway/clients_api.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "gateway/request_guard.hpp"

namespace sluice::gateway {
namespace {

namespace json = boost::json;
using posix::HttpResponse;

constexpr std::chrono::milliseconds kPatience{2000};  // a shard answers within a few turns
constexpr std::size_t kLimitMax = 10'000;

struct Order {
    std::string_view name;
    bool (*before)(const ClientRow&, const ClientRow&);
};
/// What one looks for comes first: the busiest, the fullest, the newest.
constexpr std::array kOrders{
    Order{"client", [](const ClientRow& a, const ClientRow& b) { return a.client < b.client; }},
    Order{"in", [](const ClientRow& a, const ClientRow& b) { return a.messages_in > b.messages_in; }},
    Order{"out", [](const ClientRow& a, const ClientRow& b) { return a.messages_out > b.messages_out; }},
    Order{"queued", [](const ClientRow& a, const ClientRow& b) { return a.queued + a.in_flight > b.queued + b.in_flight; }},
    Order{"since", [](const ClientRow& a, const ClientRow& b) { return a.online != b.online ? a.online : a.connected_s < b.connected_s; }},
};

const Order* find_order(std::string_view name) {
    const auto* const at = std::find_if(kOrders.begin(), kOrders.end(), [name](const Order& one) { return one.name == name; });
    return at == kOrders.end() ? nullptr : at;
}

std::string_view protocol_name(std::uint8_t protocol) { return protocol == 5 ? "5.0" : protocol == 4 ? "3.1.1" : "3.1"; }

json::object to_json(const ClientRow& row) {
    return {{"client", row.client},
            {"online", row.online},
            {"address", row.address},
            {"protocol", protocol_name(row.protocol)},
            {"connected_s", row.connected_s},
            {"keep_alive_s", row.keep_alive_s},
            {"expiry_s", row.expiry_s},
            {"messages_in", row.messages_in},
            {"messages_out", row.messages_out},
            {"subscriptions", row.subscriptions},
            {"in_flight", row.in_flight},
            {"queued", row.queued},
            {"queued_bytes", row.queued_bytes},
            {"shard", row.shard}};
}

}  // namespace

std::string clients_json(std::vector<ClientRow> rows, const ClientsQuery& query) {
    std::erase_if(rows, [&](const ClientRow& row) { return row.client.find(query.search) == std::string::npos; });
    const Order* order = find_order(query.sort);
    const std::size_t shown = std::min(query.limit, rows.size());
    std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(shown), rows.end(),
                      [order](const ClientRow& a, const ClientRow& b) {
                          if (order->before(a, b)) return true;
                          return !order->before(b, a) && a.client < b.client;
                      });
    json::array list;
    for (std::size_t i = 0; i < shown; ++i) list.emplace_back(to_json(rows[i]));
    return json::serialize(json::object{{"clients", std::move(list)}, {"total", rows.size()}});
}

bool ClientsApi::handles(std::string_view path) {
    return path.starts_with(kPath) && (path.size() == kPath.size() || path[kPath.size()] == '/');
}

HttpResponse ClientsApi::answer(const posix::HttpRequest& request) {
    const bool one = request.path.size() > kPath.size() + 1;
    if (request.method == "DELETE" && one && !is_ours(request))
        return HttpResponse::problem(403, "a page of another site asks, or this gateway was asked for by a name that is not its own");
    if (request.method == "DELETE" && one) return kick(request.path.substr(kPath.size() + 1));
    if (request.method != "GET" || one)
        return HttpResponse::problem(405, "GET /api/v1/clients lists, DELETE /api/v1/clients/CLIENT_ID disconnects");
    return list(request);
}

HttpResponse ClientsApi::list(const posix::HttpRequest& request) {
    ClientsQuery query;
    for (const auto& [name, value] : request.query) {
        if (name == "search") {
            query.search = value;
        } else if (name == "sort") {
            if (find_order(value) == nullptr) return HttpResponse::problem(400, "'sort' must be client, in, out, queued or since");
            query.sort = value;
        } else if (name == "limit") {
            const char* const end = value.data() + value.size();
            const auto [stop, failed] = std::from_chars(value.data(), end, query.limit);
            if (failed != std::errc() || stop != end || query.limit < 1 || query.limit > kLimitMax)
                return HttpResponse::problem(400, fmt::format("'limit' must be an integer from 1 to {}", kLimitMax));
        } else {
            return HttpResponse::problem(400, fmt::format("unknown parameter '{}'; there are: search, sort, limit", name));
        }
    }
    const auto asked = ask(ClientQuery::Kind::list, {});
    if (asked == nullptr || !asked->wait(kPatience)) return HttpResponse::problem(503, "a shard is too busy to answer; try again");
    HttpResponse out;
    out.body = clients_json(asked->take_rows(), query);
    return out;
}

HttpResponse ClientsApi::kick(const std::string& client) {
    if (!may_kick_) return HttpResponse::problem(403, "clients can be disconnected only where listen.http is an address of this machine");
    const auto asked = ask(ClientQuery::Kind::kick, client);
    if (asked == nullptr || !asked->wait(kPatience)) return HttpResponse::problem(503, "a shard is too busy to answer; try again");
    if (!asked->kicked()) return HttpResponse::problem(404, "no client with this id is connected");
    HttpResponse out;
    out.body = R"({"disconnected":true})";
    return out;
}

std::shared_ptr<ClientQuery> ClientsApi::ask(ClientQuery::Kind kind, const std::string& client) {
    auto query = std::make_shared<ClientQuery>(kind, client, shards_.size());
    bool all = true;
    for (ClientQueryBox* shard : shards_) {
        auto copy = query;
        all = shard->push(std::move(copy)) && all;
    }
    return all ? query : nullptr;
}

}  // namespace sluice::gateway
