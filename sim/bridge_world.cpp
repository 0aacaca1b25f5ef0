#include "sim/bridge_world.hpp"

#include <algorithm>

#include "data/bridge.hpp"

namespace sluice::sim {
namespace {

hub::Options hub_options(const std::string& gateway) {
    hub::Options options;
    options.gateway = gateway;
    options.limits.queue_messages_max = 100'000;
    return options;
}

}  // namespace

HubNode::HubNode(std::size_t node, const std::string& gateway) : index(node), hub(hub_options(gateway), *this) {}

base::Bytes* HubNode::output(hub::ConnectionId to) {
    const auto found = pipes.find(to.value());
    return found == pipes.end() || found->second->hub_closed || found->second->broken ? nullptr : &found->second->down;
}

std::size_t HubNode::queued_bytes(hub::ConnectionId of) const {
    const auto found = pipes.find(of.value());
    return found == pipes.end() ? 0 : found->second->down.size();
}

void HubNode::close(hub::ConnectionId connection) {
    if (const auto found = pipes.find(connection.value()); found != pipes.end()) found->second->hub_closed = true;
}

// ---- bridges

BridgeProcess::BridgeProcess(BridgeWorld& world, std::size_t here, std::size_t there, bridge::Options options)
    : world_(world), here_(here), there_(there), options_(std::move(options)) {
    for (const auto end : {bridge::End::local, bridge::End::remote}) {
        side(end).process = this;
        side(end).end = end;
    }
    restart();
}

void BridgeProcess::restart() {
    if (machine) {
        cut(bridge::End::local);
        cut(bridge::End::remote);
    }
    for (Side& each : sides_) each.opening = false;
    machine = std::make_unique<bridge::Bridge>(options_, *this, entropy_);
    machine->start(world_.now);
}

void BridgeProcess::cut(bridge::End end) {
    if (Pipe* pipe = side(end).pipe) world_.break_pipe(*pipe);
}

void BridgeProcess::open(bridge::End end) { side(end).opening = true; }

base::Bytes* BridgeProcess::output(bridge::End end) {
    Pipe* pipe = side(end).pipe;
    return pipe == nullptr || pipe->broken ? nullptr : &pipe->up;
}

void BridgeProcess::close(bridge::End end, bool) {
    Side& which = side(end);
    which.opening = false;
    if (which.pipe == nullptr) return;
    which.pipe->client_closed = true;
    which.pipe->client = nullptr;
    which.pipe = nullptr;
}

void BridgeProcess::turn(base::Monotonic now) {
    for (Side& each : sides_) {
        if (!std::exchange(each.opening, false)) continue;
        const bool local = each.end == bridge::End::local;
        if (!local && remote_away) {
            machine->on_closed(each.end, now);
            continue;
        }
        each.pipe = world_.connect(local ? here_ : there_, each, local);
        machine->on_open(each.end, now);
    }
    for (Side& each : sides_) {
        if (each.pipe != nullptr && !machine->holds(each.end)) each.pipe->down_left = 0;
    }
    if (const auto due = machine->next_deadline(); due && *due <= now) machine->on_tick(now);
}

// ---- clients

TestClient::TestClient(BridgeWorld& world, std::size_t node, const std::string& name)
    : world_(world), pipe_(world.connect(node, *this, false)) {
    session_.connect({.client_id = name, .keep_alive = std::chrono::seconds(0), .in_flight_max = 65'000}, world.now, pipe_->up);
    while (!session_.connected()) world.step();
}

void TestClient::subscribe(std::string_view filter) {
    const std::array wanted{mqtt::Subscription{.filter = filter, .qos = mqtt::Qos::exactly_once, .retain_as_published = true}};
    (void)session_.subscribe(wanted, world_.now, pipe_->up);
}

void TestClient::publish(std::string_view topic, std::string_view payload, std::uint8_t qos, bool retain) {
    (void)session_.publish({.topic = topic, .payload = base::as_bytes(payload), .qos = static_cast<mqtt::Qos>(qos), .retain = retain},
                           world_.now, pipe_->up);
}

std::size_t TestClient::on_bytes(base::ByteView bytes, base::Monotonic now) { return session_.on_bytes(bytes, now, pipe_->up, *this); }

void TestClient::on_message(const mqtt::Publish& message) {
    Got one{std::string(message.topic), std::string(base::as_text(message.payload)), 0, message.retain};
    message.properties.for_each([&one](const mqtt::PropertyItem& item) { one.path += item.name == data::kBridgePath ? 1U : 0U; });
    got.push_back(std::move(one));
}

std::size_t TestClient::count(std::string_view payload) const {
    return static_cast<std::size_t>(std::count_if(got.begin(), got.end(), [payload](const Got& each) { return each.payload == payload; }));
}

// ---- the world

std::size_t BridgeWorld::add_node(const std::string& gateway) {
    nodes_.push_back(std::make_unique<HubNode>(nodes_.size(), gateway));
    return nodes_.size() - 1;
}

BridgeProcess& BridgeWorld::add_bridge(std::size_t here, std::size_t there, bridge::Options options) {
    bridges_.push_back(std::make_unique<BridgeProcess>(*this, here, there, std::move(options)));
    return *bridges_.back();
}

TestClient& BridgeWorld::add_client(std::size_t node, const std::string& name) {
    clients_.push_back(std::make_unique<TestClient>(*this, node, name));
    return *clients_.back();
}

Pipe* BridgeWorld::connect(std::size_t node, HubClient& client, bool internal) {
    pipes_.push_back(std::make_unique<Pipe>());
    Pipe& pipe = *pipes_.back();
    pipe.node = node;
    pipe.id = hub::ConnectionId((std::uint64_t{1} << 32) | next_++);
    pipe.client = &client;
    nodes_[node]->pipes[pipe.id.value()] = &pipe;
    nodes_[node]->hub.on_connected(pipe.id, {.loopback = true, .internal = internal}, now);
    return &pipe;
}

void BridgeWorld::break_pipe(Pipe& pipe) {
    pipe.up.clear();
    pipe.down.clear();
    pipe.hub_closed = pipe.client_closed = pipe.broken = true;  // what is written now leads nowhere
}

/// Some bytes of one direction arrive; an end of a direction after its last byte.
bool BridgeWorld::carry(Pipe& pipe) {
    hub::Hub& hub = nodes_[pipe.node]->hub;
    bool moved = false;
    if (pipe.up.size() > pipe.up_left) {
        const std::size_t fresh = pipe.up_left + 1 + random.below(pipe.up.size() - pipe.up_left);
        base::Bytes bytes(pipe.up.begin(), pipe.up.begin() + static_cast<std::ptrdiff_t>(fresh));
        bytes.resize(fresh + data::kReadablePadding);
        const std::size_t used = hub.on_bytes(pipe.id, {bytes.data(), fresh}, now, {});
        pipe.up.erase(pipe.up.begin(), pipe.up.begin() + static_cast<std::ptrdiff_t>(std::min(used, pipe.up.size())));
        pipe.up_left = pipe.up.empty() ? 0 : fresh - used;
        moved = true;
    }
    if (pipe.client != nullptr && pipe.down.size() > pipe.down_left) {
        const std::size_t fresh = pipe.down_left + 1 + random.below(pipe.down.size() - pipe.down_left);
        const base::Bytes bytes(pipe.down.begin(), pipe.down.begin() + static_cast<std::ptrdiff_t>(fresh));
        const std::size_t used = pipe.client->on_bytes(bytes, now);
        pipe.down.erase(pipe.down.begin(), pipe.down.begin() + static_cast<std::ptrdiff_t>(std::min(used, pipe.down.size())));
        pipe.down_left = pipe.down.empty() ? 0 : fresh - used;
        moved = true;
    }
    return moved;
}

/// Ends of connections whose last bytes have arrived are told.
void BridgeWorld::reap() {
    for (std::size_t i = 0; i < pipes_.size(); ++i) {
        Pipe& pipe = *pipes_[i];
        const bool up_done = pipe.client_closed && pipe.up.size() <= pipe.up_left;
        const bool down_done = pipe.hub_closed && (pipe.client == nullptr || pipe.down.size() <= pipe.down_left);
        if (!up_done && !down_done) continue;
        HubNode& at = *nodes_[pipe.node];
        at.pipes.erase(pipe.id.value());
        at.hub.on_closed(pipe.id, now, {});
        HubClient* client = std::exchange(pipe.client, nullptr);
        const auto gone = std::move(pipes_[i]);
        pipes_.erase(pipes_.begin() + static_cast<std::ptrdiff_t>(i--));
        if (client != nullptr) client->on_closed(now);
    }
}

bool BridgeWorld::step() {
    bool moved = false;
    for (std::size_t i = 0; i < pipes_.size(); ++i) {
        if (random.chance(2, 3)) moved = carry(*pipes_[i]) || moved;
    }
    reap();
    for (const auto& each : bridges_) each->turn(now);
    for (const auto& each : nodes_) {
        if (const auto due = each->hub.next_deadline(); due && *due <= now) each->hub.on_tick(now, {});
        each->hub.end_of_turn(now);
    }
    now += moved ? std::chrono::microseconds(100) : std::chrono::milliseconds(100);
    return moved;
}

void BridgeWorld::settle() {
    constexpr int kQuietSteps = 350;  // 35 s: longer than any pause between attempts
    for (int quiet = 0; quiet < kQuietSteps;) quiet = step() ? 0 : quiet + 1;
}

}  // namespace sluice::sim
