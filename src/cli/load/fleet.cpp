#include "cli/load/fleet.hpp"

#include <algorithm>
#include <limits>

#include "base/check.hpp"
#include "cli/load/packets.hpp"

namespace sluice::load {
namespace {

constexpr std::chrono::milliseconds kRetryFirst{100};
constexpr std::chrono::milliseconds kRetryLast{3000};
// Without a schedule, QoS 0: bytes written in one turn over all connections, shared among them; many devices send one message each, few
// gateways send many at a time.
constexpr std::size_t kFillBytesAll = 1024 * 1024;
// QoS 1: publications in flight over all connections.
constexpr std::uint32_t kInFlightAll = 4096;
constexpr std::uint32_t kWindowMax = 256;

std::uint32_t default_window(std::uint32_t connections) { return std::clamp<std::uint32_t>(kInFlightAll / connections, 1, kWindowMax); }

}  // namespace

Fleet::Fleet(posix::EventLoop& loop, const FleetOptions& options)
    : loop_(loop),
      options_(options),
      plant_(options.plant),
      connections_(loop, *this),
      clients_(options.plant.sensors),
      retry_delay_(kRetryFirst) {
    base::check(options.qos <= 1, "fleet: QoS 0 or 1");
    fill_bytes_ = std::clamp<std::size_t>(kFillBytesAll / options.plant.sensors, 1, kQueuedBytesMax);
    topic_bytes_ = plant::topic_name(0).size();
    topics_.reserve(topic_bytes_ * clients_.size());
    for (std::uint32_t i = 0; i < options.plant.sensors; ++i) topics_ += plant::topic_name(i);
    loop_.add_task(*this);
    loop_.add_task(connections_);
}

// --- connections -----------------------------------------------------------------------------------------------------------------

void Fleet::connect() {
    for (std::uint32_t i = 0; i < clients_.size(); ++i) to_connect_.push_back(i);
    connect_more(loop_.clock().now());
}

void Fleet::connect_more(base::Monotonic now) {
    while (!to_connect_.empty() && connecting_ < kConnectingMax && now >= retry_at_ && !failure_) {
        const std::uint32_t sensor = to_connect_.front();
        to_connect_.pop_front();
        const auto id = options_.to.connect(connections_);
        if (!id) {
            lost(sensor, now, id.error());
            return;
        }
        Client& client = clients_[sensor];
        client.connection = id.value();
        client.state = State::connecting;
        ++connecting_;
        const auto slot = static_cast<std::uint32_t>(id.value());
        if (sensor_of_.size() <= slot) sensor_of_.resize(slot + 1);
        sensor_of_[slot] = sensor;
    }
}

void Fleet::on_open(posix::TcpId id, const posix::PeerAddress&) {
    const std::uint32_t sensor = sensor_of_[static_cast<std::uint32_t>(id)];
    clients_[sensor].state = State::greeting;
    if (base::Bytes* out = connections_.output(id))
        append_connect(*out, options_.client_prefix + plant::device_name(sensor), options_.keep_alive_seconds, options_.to.user,
                       options_.to.password);
}

void Fleet::on_layer(posix::TcpId, const posix::StreamLayer& layer, std::string_view failure) {
    if (!failure.empty()) layer_failure_ = failure;
    if (layer.resumed()) ++counters_.tls_resumed;
}

void Fleet::on_closed(posix::TcpId id, const base::Error& why) {
    const std::uint32_t sensor = sensor_of_[static_cast<std::uint32_t>(id)];
    Client& client = clients_[sensor];
    if (client.connection != id) return;
    client.connection = 0;
    if (client.state == State::up) {
        --counters_.connections;
        if (!leaving_) ++counters_.reconnects;
    } else {
        --connecting_;
    }
    client.state = State::away;
    if (client.barrier) {
        client.barrier = false;
        --barrier_open_;
    }
    if (!leaving_) lost(sensor, loop_.now(), why);
}

void Fleet::lost(std::uint32_t sensor, base::Monotonic now, const base::Error& why) {
    if (!ever_connected_ || why.code == base::Errc::denied) return fail(why);
    to_connect_.push_back(sensor);
    if (now < retry_at_) return;
    retry_at_ = now + retry_delay_;
    retry_delay_ = std::min(retry_delay_ * 2, kRetryLast);
}

void Fleet::fail(const base::Error& why) {
    if (!failure_) failure_ = why;
}

void Fleet::welcomed(std::uint32_t sensor) {
    Client& client = clients_[sensor];
    client.state = State::up;
    ever_connected_ = true;
    retry_delay_ = kRetryFirst;
    --connecting_;
    ++counters_.connections;
    // What was not acknowledged on the connection before is sent again, in order, marked as a duplicate (MQTT 3.1.1, 4.4).
    for (std::size_t i = client.acknowledged_head; i < client.in_flight.size(); ++i) {
        const InFlight& waiting = client.in_flight[i];
        write(client, waiting.sample, waiting.ts, waiting.packet_id, true);
        ++counters_.resent;
    }
    if (running_ && scheduled()) fall_behind(sensor);
}

std::size_t Fleet::on_bytes(posix::TcpId id, base::ByteView bytes) {
    const std::uint32_t sensor = sensor_of_[static_cast<std::uint32_t>(id)];
    Client& client = clients_[sensor];
    std::size_t used = 0;
    while (const auto packet = next_packet(bytes.subspan(used))) {
        if (packet->size == 0) {
            ++counters_.unexpected;
            connections_.abort(id);
            return bytes.size();
        }
        used += packet->size;
        switch (static_cast<PacketType>(packet->type)) {
            case PacketType::puback:
                acknowledged(sensor, packet_id_of(*packet));
                break;
            case PacketType::connack:
                if (client.state != State::greeting || packet->body.size() < 2) {
                    ++counters_.unexpected;
                } else if (packet->body[1] != 0) {
                    fail(base::Error{base::Errc::denied});
                } else {
                    welcomed(sensor);
                }
                break;
            case PacketType::pingresp:
                if (client.barrier) {
                    client.barrier = false;
                    --barrier_open_;
                }
                break;
            default:
                ++counters_.unexpected;
        }
    }
    return used;
}

void Fleet::acknowledged(std::uint32_t sensor, std::uint16_t packet_id) {
    Client& client = clients_[sensor];
    // Brokers acknowledge in the order of arrival (MQTT 3.1.1, 4.6): the oldest is the one, or something is wrong.
    if (client.unacknowledged() == 0 || client.in_flight[client.acknowledged_head].packet_id != packet_id) {
        ++counters_.unexpected;
        return;
    }
    ack_latency_.record(loop_.now() - client.in_flight[client.acknowledged_head].since);
    ++client.acknowledged_head;
    ++counters_.acknowledged;
    if (client.acknowledged_head == client.in_flight.size()) {
        client.in_flight.clear();
        client.acknowledged_head = 0;
    } else if (client.acknowledged_head >= kWindowMax) {
        client.in_flight.erase(client.in_flight.begin(), client.in_flight.begin() + client.acknowledged_head);
        client.acknowledged_head = 0;
    }
}

void Fleet::disconnect() {
    leaving_ = true;
    running_ = false;
    for (const Client& client : clients_) {
        if (client.connection == 0) continue;
        if (client.state == State::up) {
            if (base::Bytes* out = connections_.output(client.connection)) append_disconnect(*out);
        }
        connections_.close(client.connection);
    }
}

// --- publishing ------------------------------------------------------------------------------------------------------------------

void Fleet::start(const Schedule& schedule, base::WallTime wall) {
    schedule_ = schedule;
    due_ = 0;
    limit_ = schedule.readings == 0 ? std::numeric_limits<std::uint64_t>::max() : std::uint64_t{schedule.readings} * clients_.size();
    before_ = clients_.front().sent;
    if (scheduled()) {
        for (const Client& client : clients_) base::check(client.sent == before_, "fleet: a schedule needs sensors that are level");
    }
    window_ = options_.window != 0 ? options_.window : scheduled() ? kWindowMax : default_window(options_.plant.sensors);
    window_ = std::max(window_, options_.batch);
    started_ = loop_.clock().now();
    started_ms_ = base::to_ms(wall);
    running_ = true;
    blocked_ = false;
}

void Fleet::stop() {
    limit_ = std::min(limit_, due_);
    if (!scheduled()) running_ = false;
}

bool Fleet::finished() const {
    if (options_.qos == 1 && counters_.acknowledged < counters_.sent) return false;
    if (scheduled()) return due_ >= limit_ && counters_.sent >= before_ * clients_.size() + limit_;
    return !running_;
}

void Fleet::barrier() {
    for (Client& client : clients_) {
        if (client.state != State::up) continue;
        base::Bytes* out = connections_.output(client.connection);
        if (out == nullptr) continue;
        append_pingreq(*out);
        client.barrier = true;
        ++barrier_open_;
    }
}

void Fleet::clear_measurements() {
    ack_latency_.clear();
    send_delay_.clear();
}

std::vector<std::uint32_t> Fleet::published() const {
    std::vector<std::uint32_t> counts;
    counts.reserve(clients_.size());
    for (const Client& client : clients_) counts.push_back(client.sent);
    return counts;
}

base::Monotonic Fleet::due_at(std::uint64_t number) const {
    return started_ + std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(number) * 1e9 / schedule_.rate));
}

std::optional<base::Monotonic> Fleet::intended(std::uint32_t sensor, std::uint64_t sequence) const {
    if (!scheduled() || sequence <= before_) return std::nullopt;
    return due_at((sequence - 1 - before_) * clients_.size() + sensor);
}

bool Fleet::has_room(const Client& client) const {
    if (client.state != State::up) return false;
    if (options_.qos == 1) return client.unacknowledged() < window_;
    return connections_.queued_bytes(client.connection) < (scheduled() ? kQueuedBytesMax : fill_bytes_);
}

std::uint64_t Fleet::due_of(std::uint32_t sensor) const { return due_ / clients_.size() + (sensor < due_ % clients_.size() ? 1 : 0); }

void Fleet::fall_behind(std::uint32_t sensor) {
    if (clients_[sensor].behind) return;
    clients_[sensor].behind = true;
    behind_.push_back(sensor);
}

void Fleet::publish_next(std::uint32_t sensor, base::Monotonic now) {
    Client& client = clients_[sensor];
    const plant::Sample sample = plant_.next(sensor);
    ++client.sent;
    base::Monotonic since = now;
    if (scheduled()) {
        since = due_at((client.sent - 1 - before_) * clients_.size() + sensor);
        send_delay_.record(now - since);
    }
    const std::int64_t ts = started_ms_ + std::chrono::duration_cast<std::chrono::milliseconds>(since - started_).count();
    std::uint16_t packet_id = 0;
    if (options_.qos == 1) {
        packet_id = client.packet_id = client.packet_id == 0xffff ? std::uint16_t{1} : static_cast<std::uint16_t>(client.packet_id + 1);
        client.in_flight.push_back({sample, ts, since, packet_id});
    }
    write(client, sample, ts, packet_id, false);
    ++counters_.sent;
    if (sample.spike) ++counters_.spikes;
}

void Fleet::write(Client& client, const plant::Sample& sample, std::int64_t ts, std::uint16_t packet_id, bool duplicate) {
    base::Bytes* out = connections_.output(client.connection);
    if (out == nullptr) return;  // closed in this turn: QoS 1 is sent again on the next connection, QoS 0 is lost as it may be
    char payload[plant::kPayloadBytesMax];
    const std::size_t size = plant::render(sample, ts, payload);
    const std::size_t before = out->size();
    append_publish(*out, {.topic = std::string_view(topics_).substr(sample.sensor * topic_bytes_, topic_bytes_),
                          .payload = {payload, size},
                          .qos = options_.qos,
                          .packet_id = packet_id,
                          .duplicate = duplicate});
    counters_.bytes += out->size() - before;
}

void Fleet::publish_due(base::Monotonic now) {
    const auto elapsed = static_cast<double>((now - started_).count());
    const std::uint64_t due = std::min(limit_, static_cast<std::uint64_t>(elapsed * schedule_.rate * 1e-9) + 1);
    if (!behind_.empty()) {
        const auto behind = std::exchange(behind_, {});
        for (const std::uint32_t sensor : behind) {
            Client& client = clients_[sensor];
            client.behind = false;
            while (client.sent < due_of(sensor) && has_room(client)) publish_next(sensor, now);
            if (client.sent < due_of(sensor)) fall_behind(sensor);
        }
    }
    while (due_ < due) {
        const auto sensor = static_cast<std::uint32_t>(due_ % clients_.size());
        ++due_;
        Client& client = clients_[sensor];
        if (!client.behind && has_room(client)) {
            publish_next(sensor, now);
        } else {
            fall_behind(sensor);
        }
    }
}

/// With batches of a fixed size: all of the next one, or nothing while a part of the last has not left or the window has no room for it.
std::uint32_t Fleet::fitting(const Client& client) const {
    if (client.state != State::up || connections_.queued_bytes(client.connection) != 0) return 0;
    return options_.qos == 0 || client.unacknowledged() + options_.batch <= window_ ? options_.batch : 0;
}

void Fleet::publish_all_that_fits(base::Monotonic now) {
    const std::uint64_t before = counters_.sent;
    for (std::uint32_t sensor = 0; sensor < clients_.size(); ++sensor) {
        if (options_.batch == 0) {
            while (has_room(clients_[sensor])) publish_next(sensor, now);
        } else {
            for (std::uint32_t left = fitting(clients_[sensor]); left != 0; --left) publish_next(sensor, now);
        }
    }
    // Nothing fitted anywhere: a socket that takes bytes again (or a PUBACK) starts the next turn.
    blocked_ = counters_.sent == before;
}

void Fleet::on_turn(base::Monotonic now) {
    if (!to_connect_.empty() && !leaving_) connect_more(now);
    if (!running_) return;
    const std::uint64_t before = counters_.sent;
    if (scheduled()) {
        publish_due(now);
    } else {
        publish_all_that_fits(now);
    }
    loop_.count_work(static_cast<std::uint32_t>(counters_.sent - before));
}

std::optional<base::Monotonic> Fleet::next_deadline() const {
    std::optional<base::Monotonic> deadline;
    if (!to_connect_.empty() && connecting_ < kConnectingMax && !leaving_ && !failure_) deadline = retry_at_;
    if (!running_) return deadline;
    if (!scheduled()) return blocked_ ? deadline : loop_.now();
    if (due_ < limit_) {
        const auto next = due_at(due_);
        if (!deadline || next < *deadline) deadline = next;
    }
    return deadline;
}

}  // namespace sluice::load
