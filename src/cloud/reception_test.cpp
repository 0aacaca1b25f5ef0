#include "cloud/reception.hpp"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cloud/memory_store.hpp"
#include "cloud/store_writer.hpp"
#include "codec/mqtt/client_session.hpp"
#include "codec/wire/topics.hpp"

namespace sluice::cloud {
namespace {

using base::Bytes;
using mqtt::ReasonCode;

/// One gateway's side: a real client machine.
class Client final : public mqtt::ClientListener {
public:
    void on_connected(const mqtt::Connack&) override { connected = true; }
    void on_message(const mqtt::Publish&) override {}
    void on_acked(mqtt::PacketId id, base::ByteView codes) override { acks.emplace_back(id, codes.empty() ? 0 : codes[0]); }
    void on_closed(ReasonCode why) override { closed = why; }
    mqtt::ClientSession session;
    Bytes out;
    bool connected = false;
    std::optional<ReasonCode> closed;
    std::vector<std::pair<mqtt::PacketId, int>> acks;
};

class ReceptionTest : public ::testing::Test, public ReceptionPort {
protected:
    struct Connection {
        Bytes out;
        bool open = true;
    };

    ReceptionTest() : admission_({{"guarded", "secret"}}, false), reception_({}, admission_, gateways_, *this) {}

    Bytes* output(hub::ConnectionId to) override { return connections_[to.value()].open ? &connections_[to.value()].out : nullptr; }
    std::size_t queued_bytes(hub::ConnectionId) const override { return 0; }
    void close(hub::ConnectionId who) override { connections_[who.value()].open = false; }
    std::string_view certificate_name(hub::ConnectionId) const override { return certificate_; }
    void submit(Delivery&& delivery) override { deliveries_.push_back(std::move(delivery)); }

    static hub::ConnectionId id(std::uint32_t slot) { return hub::ConnectionId((std::uint64_t{1} << 32) | slot); }

    void connect(Client& client, std::uint32_t slot, const std::string& gateway, std::optional<std::string> token = {},
                 bool loopback = true, const char* client_id = nullptr) {
        connections_[id(slot).value()] = {};
        reception_.on_connected(id(slot), {.listener = 0, .loopback = loopback, .encrypted = false}, now_);
        mqtt::ClientSession::Options options;
        const auto name = client_id != nullptr ? std::string(client_id) : wire::client_id(gateway);
        options.client_id = name;
        options.user = gateway;
        if (token) options.password = base::as_bytes(*token);
        client.session.connect(options, now_, client.out);
        exchange(client, slot);
    }
    void exchange(Client& client, std::uint32_t slot) {
        Bytes sent;
        sent.swap(client.out);
        const auto size = sent.size();
        sent.resize(size + data::kReadablePadding);
        auto& connection = connections_[id(slot).value()];
        if (size != 0 && connection.open) {
            EXPECT_EQ(reception_.on_bytes(id(slot), base::ByteView(sent).first(size), now_, wall_), size);
        }
        reception_.end_of_turn(now_);
        Bytes answer;
        answer.swap(connection.out);
        client.session.on_bytes(answer, now_, client.out, client);
    }
    static Bytes batch(std::uint64_t first, const std::vector<std::string>& json) {
        wire::Encoder encoder;
        encoder.begin("alert", data::Sequence(first));
        for (const auto& text : json) EXPECT_TRUE(encoder.add_event("rule", 1, base::as_bytes(text)));
        Bytes out;
        encoder.finish(data::Epoch(1), out);
        return out;
    }
    mqtt::PacketId publish(Client& client, const std::string& topic, const Bytes& payload) {
        mqtt::ClientSession::Message message;
        message.topic = topic;
        message.payload = payload;
        message.qos = mqtt::Qos::at_least_once;
        const auto sent = client.session.publish(message, now_, client.out);
        EXPECT_TRUE(sent);
        return sent ? *sent : mqtt::PacketId{0};
    }

    base::Monotonic now_{std::chrono::seconds(5)};
    base::WallTime wall_ = base::from_ms(1'000'000);
    std::map<std::uint64_t, Connection> connections_;
    std::vector<Delivery> deliveries_;
    std::string_view certificate_;
    Gateways gateways_;
    Admission admission_;
    Reception reception_;
};

TEST_F(ReceptionTest, a_certificate_decides_alone) {
    certificate_ = "guarded";
    Client own;
    connect(own, 0, "guarded", {}, false);
    EXPECT_TRUE(own.connected);
    certificate_ = "other";
    Client with_token;
    connect(with_token, 1, "guarded", "secret");
    EXPECT_FALSE(with_token.connected);
    Client from_here;
    connect(from_here, 2, "plant-7");
    EXPECT_FALSE(from_here.connected);
    certificate_ = {};
    Client without;
    connect(without, 3, "guarded", "secret", false);
    EXPECT_TRUE(without.connected);
}

TEST_F(ReceptionTest, a_batch_is_acknowledged_when_it_is_stored_and_not_before) {
    Client client;
    connect(client, 0, "plant-7");
    ASSERT_TRUE(client.connected);
    const auto sent = publish(client, "$sluice/v1/plant-7/events", batch(1, {"{}", R"({"a":2})"}));
    exchange(client, 0);
    ASSERT_EQ(deliveries_.size(), 1U);
    EXPECT_EQ(deliveries_[0].gateway, "plant-7");
    EXPECT_EQ(deliveries_[0].batch->events(), 2U);
    EXPECT_TRUE(client.acks.empty());
    reception_.on_durable(deliveries_[0].ticket);
    exchange(client, 0);
    EXPECT_EQ(client.acks, (std::vector<std::pair<mqtt::PacketId, int>>{{sent, 0}}));
}

TEST_F(ReceptionTest, deliveries_are_written_in_one_transaction_with_the_gateways) {
    Client client;
    connect(client, 0, "plant-7");
    publish(client, "$sluice/v1/plant-7/events", batch(1, {"{}"}));
    publish(client, "$sluice/v1/plant-7/events", batch(2, {"{}", "{}"}));
    const std::string_view status = R"({"online":true,"ledger":{ "readings_in": 5 }})";
    publish(client, "$sluice/v1/plant-7/status", Bytes(status.begin(), status.end()));
    exchange(client, 0);
    ASSERT_EQ(deliveries_.size(), 3U);
    MemoryStore store;
    StoreWriter writer(store);
    store.fail_at(3, base::Errc::disk_full);
    EXPECT_FALSE(writer.write(deliveries_));
    EXPECT_TRUE(store.committed().events.empty());
    const auto counts = writer.write(deliveries_);
    ASSERT_TRUE(counts);
    EXPECT_EQ(counts->stored, 3U);
    EXPECT_EQ(store.committed().events.size(), 3U);
    EXPECT_EQ(store.committed().gateways.at("plant-7").ledger, R"({"readings_in":5})");
    EXPECT_EQ(base::to_ms(store.committed().gateways.at("plant-7").last_seen), 1'000'000);
}

TEST_F(ReceptionTest, a_batch_that_breaks_the_format_closes_the_connection_unacknowledged_and_nothing_behind_it_is_stored) {
    Client client;
    connect(client, 0, "plant-7");
    publish(client, "$sluice/v1/plant-7/events", batch(1, {"{}"}));
    publish(client, "$sluice/v1/plant-7/events", Bytes{'n', 'o'});
    publish(client, "$sluice/v1/plant-7/events", batch(3, {"{}"}));
    exchange(client, 0);
    EXPECT_EQ(deliveries_.size(), 1U);
    EXPECT_EQ(client.closed, ReasonCode::payload_format_invalid);
    EXPECT_FALSE(connections_[id(0).value()].open);
    EXPECT_EQ(reception_.counts().refused, 1U);
    // The gateway comes back, and what it could not send before goes through.
    Client again;
    connect(again, 1, "plant-7");
    publish(again, "$sluice/v1/plant-7/events", batch(2, {"{}", "{}"}));
    exchange(again, 1);
    ASSERT_EQ(deliveries_.size(), 2U);
    reception_.on_durable(deliveries_.back().ticket);
    exchange(again, 1);
    EXPECT_EQ(again.acks.size(), 1U);
}

TEST_F(ReceptionTest, gateways_are_on_line_while_they_are_connected) {
    Client client;
    connect(client, 0, "plant-7");
    ASSERT_EQ(gateways_.list().size(), 1U);
    EXPECT_TRUE(gateways_.list()[0].online);
    EXPECT_EQ(gateways_.list()[0].id, "plant-7");
    wall_ = base::from_ms(2'000'000);
    reception_.on_closed(id(0), now_, wall_);
    EXPECT_FALSE(gateways_.list()[0].online);
    EXPECT_EQ(base::to_ms(gateways_.list()[0].last_seen), 2'000'000);
}

TEST_F(ReceptionTest, a_second_connection_of_a_gateway_takes_the_first_one_over) {
    Client first;
    connect(first, 0, "plant-7");
    Client second;
    connect(second, 1, "plant-7");
    EXPECT_TRUE(second.connected);
    EXPECT_FALSE(connections_[id(0).value()].open);
    EXPECT_TRUE(connections_[id(1).value()].open);
    reception_.on_closed(id(0), now_, wall_);
    EXPECT_TRUE(gateways_.list()[0].online);
}

struct SignIn {
    const char* what;
    const char* gateway;
    const char* client_id;
    const char* token;
    bool loopback;
    bool welcome;
};
constexpr SignIn kSignIns[] = {
    {"a gateway without an entry, from this machine", "plant-7", "gw:plant-7", nullptr, true, true},
    {"a gateway without an entry, from elsewhere", "plant-7", "gw:plant-7", nullptr, false, false},
    {"an unknown token does not help from elsewhere", "plant-7", "gw:plant-7", "secret", false, false},
    {"the right token, from elsewhere", "guarded", "gw:guarded", "secret", false, true},
    {"a wrong token", "guarded", "gw:guarded", "Secret", false, false},
    {"a longer token", "guarded", "gw:guarded", "secrets", false, false},
    {"no token, from this machine", "guarded", "gw:guarded", nullptr, true, false},
    {"a client that is no gateway", "plant-7", "mosquitto", nullptr, true, false},
    {"an id that is none", "plant 7", "gw:plant 7", nullptr, true, false},
    {"under another's id", "plant-7", "gw:guarded", nullptr, true, false},
};

TEST_F(ReceptionTest, only_gateways_with_the_right_to_come_in_do) {
    std::uint32_t slot = 0;
    for (const auto& row : kSignIns) {
        Client client;
        connect(client, slot++, row.gateway, row.token == nullptr ? std::nullopt : std::optional<std::string>(row.token), row.loopback,
                row.client_id);
        EXPECT_EQ(client.connected, row.welcome) << row.what;
    }
}

TEST_F(ReceptionTest, a_gateway_may_publish_under_its_own_id_only_and_subscribe_to_nothing) {
    Client client;
    connect(client, 0, "plant-7");
    publish(client, "$sluice/v1/other/events", batch(1, {"{}"}));
    publish(client, "sensors/x", Bytes{'{', '}'});
    const mqtt::Subscription all{.filter = "$sluice/#"};
    ASSERT_TRUE(client.session.subscribe({&all, 1}, now_, client.out));
    exchange(client, 0);
    EXPECT_TRUE(deliveries_.empty());
    ASSERT_EQ(client.acks.size(), 3U);
    for (const auto& [packet, code] : client.acks) EXPECT_EQ(code, 0x87) << packet;
}

TEST_F(ReceptionTest, a_status_that_is_not_one_is_counted_and_changes_nothing) {
    Client client;
    connect(client, 0, "plant-7");
    for (const std::string_view text : {"", "[]", "{\"ledger\":5}", "{\"ledger\":{}", "{\"online\":false}"})
        publish(client, "$sluice/v1/plant-7/status", Bytes(text.begin(), text.end()));
    exchange(client, 0);
    EXPECT_TRUE(deliveries_.empty());
    EXPECT_EQ(client.acks.size(), 5U);
    EXPECT_EQ(reception_.counts().invalid_statuses, 4U);
    EXPECT_EQ(reception_.counts().statuses, 1U);
    EXPECT_TRUE(gateways_.list()[0].ledger.empty());
}

}  // namespace
}  // namespace sluice::cloud
