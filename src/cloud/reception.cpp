#include "cloud/reception.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/check.hpp"
#include "codec/mqtt/packet.hpp"
#include "codec/wire/topics.hpp"

namespace sluice::cloud {

using base::Errc;
using base::Error;

Reception::Reception(const hub::Limits& limits, hub::Authenticator& admission, Gateways& gateways, ReceptionPort& port)
    : gateways_(gateways),
      port_(port),
      hub_({.shard = data::ShardIndex(0), .shards = 1, .limits = limits, .authenticator = &admission, .seed = 0}, *this) {}

std::size_t Reception::on_bytes(hub::ConnectionId who, base::ByteView bytes, base::Monotonic now, base::WallTime wall) {
    wall_ = wall;
    refused_.clear();
    const auto used = hub_.on_bytes(who, bytes, now, wall);
    // Its acknowledgement is still held back, so the gateway keeps the batch and tries again later. False: it has gone by itself.
    if (!refused_.empty()) (void)hub_.disconnect(refused_, mqtt::ReasonCode::payload_format_invalid, now, wall);
    return used;
}

void Reception::on_closed(hub::ConnectionId who, base::Monotonic now, base::WallTime wall) {
    wall_ = wall;
    hub_.on_closed(who, now, wall);
}

void Reception::on_tick(base::Monotonic now, base::WallTime wall) {
    wall_ = wall;
    hub_.on_tick(now, wall);
}

hub::Ticket Reception::accept(const data::Reading& reading, bool acknowledged) {
    (void)acknowledged;  // QoS 0 is stored as well; it is only not promised
    const auto address = wire::parse_topic(reading.topic);
    if (!address.known) return 0;
    // What follows a refused batch must not be stored: it would leave a hole that the resend could no longer fill.
    if (!refused_.empty() && reading.client == refused_) return ++ticket_;
    return address.channel == wire::Channel::events ? take_batch(address.gateway, reading) : take_status(address.gateway, reading);
}

hub::Ticket Reception::take_batch(std::string_view gateway, const data::Reading& reading) {
    Delivery delivery;
    auto batch = decoder_.decode(reading.payload, delivery.body);
    if (!batch) {
        ++counts_.refused;
        refused_ = reading.client;
        return ++ticket_;  // never submitted, hence never released before the connection is closed
    }
    ++counts_.batches;
    counts_.batch_bytes += reading.payload.size();
    delivery.gateway = gateway;
    delivery.ticket = ++ticket_;
    delivery.arrived = reading.arrived;
    delivery.batch = *batch;
    gateways_.seen(gateway, reading.arrived, {});
    port_.submit(std::move(delivery));
    return ticket_;
}

hub::Ticket Reception::take_status(std::string_view gateway, const data::Reading& reading) {
    auto ledger = ledger_of_status(reading.payload);
    if (!ledger) {
        ++counts_.invalid_statuses;
        return 0;
    }
    ++counts_.statuses;
    gateways_.seen(gateway, reading.arrived, *ledger);
    if (ledger->empty()) return 0;
    Delivery delivery;
    delivery.gateway = gateway;
    delivery.ticket = ++ticket_;
    delivery.arrived = reading.arrived;
    delivery.ledger = std::move(*ledger);
    port_.submit(std::move(delivery));
    return ticket_;
}

bool Reception::to_shard(data::ShardIndex shard, hub::ShardMessage&& message) {
    (void)shard, (void)message;
    base::check(false, "cloud: one shard has no others");
    return false;
}

void Reception::on_presence(std::string_view client, bool online) {
    if (client.starts_with(wire::kClientPrefix)) gateways_.set_online(client.substr(wire::kClientPrefix.size()), online, wall_);
}

base::Result<std::string> ledger_of_status(base::ByteView status) {
    if (status.size() > Reception::kStatusBytesMax) return Error{Errc::too_large};
    boost::system::error_code failed;
    boost::json::parse_options options;
    options.max_depth = 16;
    const auto document = boost::json::parse(base::as_text(status), failed, {}, options);
    if (failed || !document.is_object()) return Error{Errc::malformed};
    const auto* ledger = document.get_object().if_contains("ledger");
    if (ledger == nullptr) return std::string();
    if (!ledger->is_object()) return Error{Errc::malformed};
    return boost::json::serialize(*ledger);
}

}  // namespace sluice::cloud
