// For tests: hubs of several shards with links between them, clients that speak raw packets, and packets as lines of text.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "codec/mqtt/framing.hpp"
#include "flow/hub/hub.hpp"

namespace sluice::hub::test {

using Lines = std::vector<std::string>;
using namespace std::chrono_literals;

/// A packet as a server sends it, in words: "PUBLISH a/b 'hi' q1 #7 retain dup ids=3,4", "PUBACK #7", "CONNACK 0 present".
std::string to_text(base::ByteView packet, mqtt::Version version);

class World;

struct ConnectOptions {
    mqtt::Version version = mqtt::Version::v311;
    bool clean = true;
    std::uint16_t keep_alive = 0;
    std::string user{};
    std::string password{};
    std::string will_topic{};
    std::string will_payload{};
    std::uint8_t will_qos = 0;
    bool will_retain = false;
    std::uint32_t will_delay = 0;
    std::uint32_t session_expiry = 0;
    std::uint16_t receive_maximum = 0;
    std::uint32_t packet_bytes_max = 0;
};

struct PublishOptions {
    std::uint8_t qos = 0;
    mqtt::PacketId id = 0;
    bool retain = false;
    bool dup = false;
    std::uint16_t alias = 0;
    std::uint32_t expiry = 0;
    std::string content_type{};
    std::string user_property{};
};

struct SubscribeOptions {
    std::uint8_t qos = 0;
    bool no_local = false;
    bool retain_as_published = false;
    mqtt::RetainHandling retain_handling = mqtt::RetainHandling::send;
    std::uint32_t identifier = 0;
    mqtt::PacketId id = 1;
};

class Client {
public:
    Client(World& world, std::uint32_t shard, ConnectionId id) : world_(world), shard_(shard), id_(id) {}

    void send(base::ByteView bytes);
    /// The hub does not read it.
    [[nodiscard]] bool held() const { return held_; }
    /// The version in which what comes is read; connect() sets it too.
    Client& speaks(mqtt::Version version) {
        version_ = version;
        return *this;
    }
    Client& connect(std::string_view client, const ConnectOptions& options = {});
    Client& publish(std::string_view topic, std::string_view payload, const PublishOptions& options = {});
    Client& subscribe(std::string_view filter, const SubscribeOptions& options = {});
    Client& unsubscribe(std::string_view filter, mqtt::PacketId id = 2);
    Client& ack(mqtt::PacketType type, mqtt::PacketId id, mqtt::ReasonCode reason = mqtt::ReasonCode::success);
    Client& ping();
    Client& disconnect(mqtt::ReasonCode reason = mqtt::ReasonCode::success, std::int64_t session_expiry = -1);
    /// The network breaks.
    void drop();

    /// What came since the last call, after all shards have settled.
    Lines take();
    /// The same, as they are.
    base::Bytes take_bytes();
    /// The same, joined by "; ".
    std::string text();
    [[nodiscard]] bool closed() const { return closed_; }
    [[nodiscard]] ConnectionId id() const { return id_; }
    [[nodiscard]] std::uint32_t shard() const { return shard_; }

private:
    friend class World;
    World& world_;
    std::uint32_t shard_;
    ConnectionId id_;
    mqtt::Version version_ = mqtt::Version::v311;
    base::Bytes unsent_;  // of ours: not consumed by the hub yet
    base::Bytes output_;  // the hub's
    std::size_t unread_ = 0;
    bool closed_ = false;
    bool stuck_ = false;  // reads nothing
    bool held_ = false;
    void present();
};

struct Seen {
    std::string topic;
    std::string payload;
    std::string client;
    bool acknowledged;
    friend bool operator==(const Seen&, const Seen&) = default;
};

class World {
public:
    explicit World(std::uint16_t shards = 1, Limits limits = {}, Authenticator* authenticator = nullptr, Authenticator* names = nullptr);

    /// A connection at the shard that client id belongs to, or at a given one.
    Client& open(std::string_view client_id);
    Client& open_at(std::uint32_t shard);
    /// open and connect, checking that it was accepted; the CONNACK is taken.
    Client& client(std::string_view client_id, const ConnectOptions& options = {});

    /// Lets time pass in steps of at most the hubs' deadlines.
    void advance(std::chrono::nanoseconds by);
    /// Ends turns and carries messages between shards until nothing moves.
    void settle();
    /// One turn of one shard: what is in its mailboxes, what is due, whose turn it is.
    void turn(std::uint32_t shard);
    /// Makes a client stop reading: its output stays in the socket's queue.
    void stick(Client& client, bool stuck) { client.stuck_ = stuck; }
    void reading_done(Client& client) { client.output_.clear(), client.unread_ = 0; }

    [[nodiscard]] Hub& hub(std::uint32_t shard = 0) { return *shards_[shard]->hub; }
    [[nodiscard]] std::uint64_t total(std::uint64_t Counters::*counter);
    [[nodiscard]] base::Monotonic now() const { return now_; }
    [[nodiscard]] base::WallTime wall() const { return base::from_ms(1'700'000'000'000) + (now_.time_since_epoch()); }

    std::vector<Seen> seen;             ///< what was accepted downstream
    Lines presence;                     ///< "+id", "-id"
    Ticket next_ticket = 0;             ///< if not 0: accept() gives it to QoS 1 and 2 and counts up
    Elsewhere elsewhere{};              ///< what is told to every hub
    std::size_t mailbox_capacity = 64;  ///< messages between two shards
    std::function<void(const data::Reading&, Hub&)> on_reading;

private:
    friend class Client;
    struct Shard final : Port {
        Shard(World& w, std::uint32_t i) : world(w), index(i) {}
        base::Bytes* output(ConnectionId to) override;
        [[nodiscard]] std::size_t queued_bytes(ConnectionId of) const override;
        void close(ConnectionId connection) override;
        Ticket accept(const data::Reading& reading, bool acknowledged) override;
        bool to_shard(data::ShardIndex to, ShardMessage&& message) override;
        void hold_input(ConnectionId of, bool hold) override;
        [[nodiscard]] std::size_t buffer_bytes() const override;
        [[nodiscard]] Elsewhere elsewhere() const override { return world.elsewhere; }
        void on_presence(std::string_view client, bool online) override {
            world.presence.push_back((online ? "+" : "-") + std::string(client));
        }
        Client* find(ConnectionId id) const;

        World& world;
        std::uint32_t index;
        std::unique_ptr<Hub> hub;
        std::vector<std::unique_ptr<Client>> clients;  // by slot
        std::map<std::uint32_t, std::deque<ShardMessage>> inbox;
        std::vector<Client*> released;  // to be presented again
    };

    bool present_released(Shard& shard);

    std::vector<std::unique_ptr<Shard>> shards_;
    base::Monotonic now_{1000s};
};

}  // namespace sluice::hub::test
