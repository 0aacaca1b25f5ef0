// For tests of bridges: real hubs, real bridges between them, clients; connections that carry bytes in pieces and break anywhere.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codec/mqtt/client_session.hpp"
#include "data/reading.hpp"
#include "flow/bridge/bridge.hpp"
#include "flow/hub/hub.hpp"
#include "sim/random.hpp"

namespace sluice::sim {

class BridgeWorld;

/// What has a connection to a hub.
class HubClient {
public:
    virtual ~HubClient() = default;
    virtual std::size_t on_bytes(base::ByteView bytes, base::Monotonic now) = 0;
    virtual void on_closed(base::Monotonic now) = 0;
};

/// One connection. Bytes on the way are lost when it breaks: so are acknowledgements.
struct Pipe {
    std::size_t node = 0;
    hub::ConnectionId id{};
    HubClient* client = nullptr;  ///< nullptr: it has let go
    base::Bytes up;               ///< to the hub
    base::Bytes down;             ///< to the client
    std::size_t up_left = 0;      ///< of `up`, not consumed by the hub: nothing new to show
    std::size_t down_left = 0;    ///< the same for the client
    bool broken = false;
    bool hub_closed = false;     ///< after what is in `down`
    bool client_closed = false;  ///< after what is in `up`
};

/// A gateway as far as bridges see it: its hub.
class HubNode final : public hub::Port {
public:
    HubNode(std::size_t index, const std::string& gateway);
    base::Bytes* output(hub::ConnectionId to) override;
    [[nodiscard]] std::size_t queued_bytes(hub::ConnectionId of) const override;
    void close(hub::ConnectionId connection) override;
    hub::Ticket accept(const data::Reading&, bool) override { return 0; }
    bool to_shard(data::ShardIndex, hub::ShardMessage&&) override { return false; }

    std::size_t index;
    std::map<std::uint64_t, Pipe*> pipes;
    hub::Hub hub;
};

/// A bridge of one node to another.
class BridgeProcess final : public bridge::Transport {
public:
    BridgeProcess(BridgeWorld& world, std::size_t here, std::size_t there, bridge::Options options);
    void open(bridge::End end) override;
    base::Bytes* output(bridge::End end) override;
    void close(bridge::End end, bool flush) override;
    /// kill -9, and started again.
    void restart();
    void reconfigure(bridge::Options options) {
        options_ = std::move(options);
        restart();
    }
    void cut(bridge::End end);

    class Side final : public HubClient {
    public:
        std::size_t on_bytes(base::ByteView bytes, base::Monotonic now) override { return process->machine->on_bytes(end, bytes, now); }
        void on_closed(base::Monotonic now) override {
            pipe = nullptr;
            process->machine->on_closed(end, now);
        }
        BridgeProcess* process = nullptr;
        bridge::End end{};
        Pipe* pipe = nullptr;
        bool opening = false;
    };
    void turn(base::Monotonic now);
    [[nodiscard]] Side& side(bridge::End end) { return sides_[static_cast<std::size_t>(end)]; }

    std::unique_ptr<bridge::Bridge> machine;
    bool remote_away = false;

private:
    BridgeWorld& world_;
    std::size_t here_;
    std::size_t there_;
    bridge::Options options_;
    SimEntropy entropy_{1};
    std::array<Side, 2> sides_;
};

/// A publisher and subscriber that never breaks.
class TestClient final : public HubClient, private mqtt::ClientListener {
public:
    TestClient(BridgeWorld& world, std::size_t node, const std::string& name);
    void subscribe(std::string_view filter);
    void publish(std::string_view topic, std::string_view payload, std::uint8_t qos, bool retain = false);
    std::size_t on_bytes(base::ByteView bytes, base::Monotonic now) override;
    void on_closed(base::Monotonic) override { pipe_ = nullptr; }

    struct Got {
        std::string topic;
        std::string payload;
        unsigned path = 0;  ///< user properties of the path
        bool retain = false;
    };
    std::vector<Got> got;
    [[nodiscard]] std::size_t count(std::string_view payload) const;

private:
    void on_connected(const mqtt::Connack&) override {}
    void on_message(const mqtt::Publish& message) override;
    void on_acked(mqtt::PacketId, base::ByteView) override {}
    void on_closed(mqtt::ReasonCode) override {}
    BridgeWorld& world_;
    Pipe* pipe_;
    mqtt::ClientSession session_;
};

class BridgeWorld {
public:
    explicit BridgeWorld(std::uint64_t seed) : random(seed) {}
    std::size_t add_node(const std::string& gateway);
    BridgeProcess& add_bridge(std::size_t here, std::size_t there, bridge::Options options);
    TestClient& add_client(std::size_t node, const std::string& name);

    Pipe* connect(std::size_t node, HubClient& client, bool internal);
    /// Both sides learn of it, and what was on the way is lost.
    void break_pipe(Pipe& pipe);
    /// Some bytes move, or time passes. False: nothing is on the way.
    bool step();
    /// Until nothing moves for longer than any pause between attempts to connect.
    void settle();
    [[nodiscard]] HubNode& node(std::size_t index) { return *nodes_[index]; }

    base::Monotonic now{std::chrono::hours(1)};
    Random random;

private:
    bool carry(Pipe& pipe);
    void reap();
    std::vector<std::unique_ptr<HubNode>> nodes_;
    std::vector<std::unique_ptr<Pipe>> pipes_;
    std::vector<std::unique_ptr<BridgeProcess>> bridges_;
    std::vector<std::unique_ptr<TestClient>> clients_;
    std::uint64_t next_ = 0;
};

}  // namespace sluice::sim
