// links: sluice_flow_hub
// Several connections to two hubs: raw bytes, well-formed packets, time, tickets, broken links, crashes. Whatever comes, what the hub sends
// is well-formed and within its client's window, its counts stay true, what it keeps can be read again by the next process, and after
// everybody has gone nothing is left.
//
// Input: a list of steps. Each is a byte of what (low 4 bits) and whom (high 4 bits), then its arguments; text is picked from small lists,
// so that topics meet filters.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/hash.hpp"
#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "codec/mqtt/framing.hpp"
#include "data/reading.hpp"
#include "flow/hub/hub.hpp"
#include "flow/hub/journal_batch.hpp"
#include "flow/hub/saved_state.hpp"

namespace {

using namespace sluice;
using base::Byte;
using base::Bytes;
using base::ByteView;

void require(bool condition) {
    if (!condition) std::abort();
}

constexpr std::array<std::string_view, 8> kTopics{"a", "a/b", "a/b/c", "b", "/", "$SYS/x", "$x/y", "a//b"};
constexpr std::array<std::string_view, 8> kFilters{"#", "a/#", "+/b", "a/b", "$share/g/a/#", "$share/g/#", "a/+/c", "$x/#"};
constexpr std::array<std::string_view, 4> kClients{"c0", "c1", "c2", ""};
constexpr std::uint16_t kShards = 2;
constexpr std::size_t kConnections = 8;

class Input {
public:
    explicit Input(ByteView bytes) : left_(bytes) {}
    [[nodiscard]] bool empty() const { return left_.empty(); }
    Byte byte() {
        if (left_.empty()) return 0;
        const Byte value = left_.front();
        left_ = left_.subspan(1);
        return value;
    }
    ByteView bytes(std::size_t n) {
        n = std::min(n, left_.size());
        const auto value = left_.first(n);
        left_ = left_.subspan(n);
        return value;
    }

private:
    ByteView left_;
};

struct Link {
    hub::ConnectionId id{};
    bool open = false;
    mqtt::Version version = mqtt::Version::v311;
    bool spoke = false;     // its first packet is complete
    bool greeted = false;   // it was answered
    bool told_off = false;  // by DISCONNECT: nothing may follow
    std::uint32_t packet_bytes_max = ~0U;
    std::uint32_t aliases_max = 0;
    std::int64_t window = 0;        // its receive maximum
    std::int64_t owed = 0;          // QoS 1 and 2 it was sent, less the answers it gave that may end one, even before it got it
    bool wild = false;              // raw bytes may hold any number of answers
    std::array<bool, 4> aliases{};  // those that were set
    Bytes output;
    Bytes unconsumed;
};

/// A PUBLISH has a topic, or an alias that was set before; and no alias beyond what the client offered.
void check_topic(Link& link, const mqtt::Publish& packet) {
    const auto alias = packet.properties.number_or(mqtt::Property::topic_alias, 0);
    require(alias <= link.aliases_max);
    require(!packet.topic.empty() || (alias != 0 && link.aliases.at(alias)));
    if (alias != 0) link.aliases.at(alias) = true;
}

/// Every packet the hub sends must be one that a client of that version can read, and no larger than it takes.
void check_output(Link& link) {
    for (ByteView rest(link.output); !rest.empty();) {
        const auto framed = mqtt::frame(rest);
        require(framed.status == mqtt::FrameStatus::complete && !framed.overlong);
        const auto body = framed.body(rest);
        require(link.greeted || framed.type() == mqtt::PacketType::connack);
        require(!link.told_off && framed.total <= link.packet_bytes_max);
        link.greeted = true;
        if (framed.type() == mqtt::PacketType::publish) {
            mqtt::Publish packet;
            require(mqtt::decode_publish(framed.first, body, link.version, packet).good());
            check_topic(link, packet);
            if (packet.qos != mqtt::Qos::at_most_once) ++link.owed;
            require(link.wild || link.owed <= link.window);
        } else if (framed.type() == mqtt::PacketType::suback) {
            mqtt::Suback packet;
            require(mqtt::decode_suback(body, link.version, packet).good());
        } else if (framed.type() == mqtt::PacketType::connack) {
            mqtt::Connack packet;
            require(mqtt::decode_connack(body, link.version, packet).good());
        } else if (framed.type() == mqtt::PacketType::disconnect) {
            mqtt::Disconnect packet;
            require(link.version == mqtt::Version::v5 && mqtt::decode_disconnect(body, link.version, packet).good());
            link.told_off = true;
        } else {
            require(framed.type() != mqtt::PacketType::connect && framed.type() != mqtt::PacketType::subscribe);
        }
        rest = rest.subspan(framed.total);
    }
    link.output.clear();
}

class World;

/// Lets everybody in, some later; what it permits changes.
class Gate final : public hub::Authenticator {
public:
    std::optional<hub::Admission> authenticate(const hub::Credentials& credentials) override {
        if (late) return std::nullopt;
        return admission(credentials.connection);
    }
    [[nodiscard]] hub::Admission admission(hub::ConnectionId connection) const {
        return {.reason = {}, .principal = hub::Principal(static_cast<std::uint32_t>(connection.value()) & principals)};
    }
    bool may_publish(const hub::Client&, std::string_view topic) override { return topic.size() != forbidden; }
    bool may_subscribe(const hub::Client&, std::string_view filter) override { return filter.size() != forbidden; }
    hub::Standing standing(const hub::Client& client) override {
        return client.principal.value() == gone ? hub::Standing::gone : hub::Standing::welcome;
    }
    bool late = false;
    std::uint32_t principals = 0;  // mask
    std::uint32_t gone = ~0U;
    std::size_t forbidden = 0;
};

/// What hubs recorded: all of it, or a crash has cut off the end.
class Disk {
public:
    void apply(ByteView changes) {
        ByteView message;
        for (std::size_t at = 0; at < changes.size();) {
            const hub::Change change = hub::read_change(changes, at);
            const auto key = std::tuple(change.id, change.row, change.number, std::string(base::as_text(change.key)));
            switch (change.kind) {
                case hub::ChangeKind::message:
                    message = change.body;
                    break;
                case hub::ChangeKind::add:
                    require(!rows.contains(key));
                    [[fallthrough]];
                case hub::ChangeKind::put:
                    rows[key].assign(change.body.begin(), change.body.end());
                    if (change.with_message) base::append(rows[key], message);
                    break;
                case hub::ChangeKind::remove:
                    rows.erase(key);
                    break;
                case hub::ChangeKind::end:
                    std::erase_if(rows, [&](const auto& row) { return std::get<0>(row.first) == change.id; });
                    break;
            }
        }
    }
    [[nodiscard]] hub::SavedState read() const {
        hub::SavedState saved;
        for (const auto& [key, body] : rows) require(saved.add(std::get<1>(key), std::get<0>(key), std::get<2>(key), Bytes(body)));
        saved.finish();
        return saved;
    }

    std::map<std::tuple<hub::KeptId, hub::RowKind, std::uint64_t, std::string>, Bytes> rows;
};

class Shard final : public hub::Port, public hub::Journal {
public:
    Shard(World& world, std::uint16_t index) : world_(world), index_(index) {}
    Bytes* output(hub::ConnectionId to) override {
        Link& link = links[static_cast<std::uint32_t>(to.value())];
        return link.open && link.id == to ? &link.output : nullptr;
    }
    [[nodiscard]] std::size_t queued_bytes(hub::ConnectionId of) const override {
        return links[static_cast<std::uint32_t>(of.value())].output.size();
    }
    void close(hub::ConnectionId connection) override {
        Link& link = links[static_cast<std::uint32_t>(connection.value())];
        require(link.open && link.id == connection);
        link.open = false;
    }
    hub::Ticket accept(const data::Reading& reading, bool acknowledged) override;
    bool to_shard(data::ShardIndex to, hub::ShardMessage&& message) override;
    hub::Ticket ticket() override;
    void take(Bytes&& changes, bool, unsigned) override { unwritten.push_back(std::move(changes)); }
    std::uint64_t owe(data::ShardIndex to, std::uint64_t, bool, unsigned) override {
        require(to.value() != index_);
        return 1;
    }

    std::array<Link, kConnections> links;
    std::unique_ptr<hub::Hub> hub;
    std::deque<hub::ShardMessage> inbox;  // from the other shard
    std::deque<Bytes> unwritten;          // what is recorded and not on the disk

private:
    World& world_;
    std::uint16_t index_;
};

class World {
public:
    explicit World(bool journals) : journals_(journals) {
        for (std::uint16_t i = 0; i < kShards; ++i) shards[i] = std::make_unique<Shard>(*this, i);
        start();
    }

    void run(Input& in) {
        while (!in.empty()) {
            const Byte what = in.byte();
            step(what & 15U, *shards[(what >> 4) & 1U], (what >> 5) & 7U, in);
            check();
        }
        finish();
    }

    hub::Ticket next_ticket = 0;
    Byte mailbox_capacity = 4;
    bool echo = false;
    base::Monotonic now{std::chrono::seconds(10)};
    Gate gate;
    [[nodiscard]] base::WallTime wall() const { return base::from_ms(1'700'000'000'000) + now.time_since_epoch(); }
    std::array<std::unique_ptr<Shard>, kShards> shards;

private:
    static hub::Limits limits() {
        hub::Limits limits;
        limits.connections_max = 7;
        limits.sessions_max = 4;
        limits.inflight_max = 3;
        limits.queue_messages_max = 4;
        limits.receive_maximum = 5;
        limits.acks_pending_max = 4;
        limits.payload_bytes_max = 100;
        limits.output_bytes_max = 500;
        limits.output_bytes_hard = 2'000;
        limits.retained_messages_max = 3;
        limits.will_bytes_max = 100;
        limits.subscriptions_per_session_max = 5;
        limits.subscribes_pending_max = 3;
        limits.shard_backlog_bytes_max = 2'000;
        return limits;
    }

    /// A process begins, with what the one before left on the disk.
    void start() {
        const hub::SavedState saved = disk_.read();
        for (std::uint16_t i = 0; i < kShards; ++i) {
            Shard& shard = *shards[i];
            shard.hub = std::make_unique<hub::Hub>(
                hub::Options{.shard = data::ShardIndex(i), .shards = kShards, .limits = limits(), .authenticator = &gate, .seed = 1},
                shard);
            if (!journals_) continue;
            const hub::AgeClock clock{now, age()};
            shard.hub->open_journal(shard, {.clock = clock, .stopped = age(), .next_id = saved.greatest_id() + 1U + i});
            for (const auto& message : saved.retained()) shard.hub->restore_retained(message, now);
        }
        for (const auto& session : saved.sessions())
            shards[base::shard_of(base::hash64(session.session.client), kShards)]->hub->restore(session, now);
        const auto capacity = std::exchange(mailbox_capacity, Byte{255});
        for (int i = 0; i < 3; ++i) settle();  // before anybody connects
        mailbox_capacity = capacity;
        for (auto& shard : shards) shard->hub->on_durable(next_ticket);
    }

    /// The process ends and another begins. `written`: batches of each shard's end that still reached the disk; all of them after a clean
    /// stop.
    void restart(bool clean, std::size_t written) {
        for (auto& shard : shards) {
            if (clean) shard->hub->shut_down(now);
            for (Link& link : shard->links) {
                require(!clean || !link.open);
                if (link.open) check_output(link);
                link.open = false;
            }
            if (clean) shard->hub->end_of_turn(now);
            for (; !shard->unwritten.empty() && (clean || written != 0); shard->unwritten.pop_front(), --written)
                disk_.apply(shard->unwritten.front());
            shard->unwritten.clear();
            shard->inbox.clear();
        }
        for (auto& shard : shards) shard->hub.reset();
        start();
    }

    [[nodiscard]] hub::Age age() const { return 1 + static_cast<hub::Age>(now.time_since_epoch() / std::chrono::milliseconds(1)); }

    void step(unsigned what, Shard& shard, std::size_t slot, Input& in) {
        Link& link = shard.links[slot];
        Bytes out;
        switch (what) {
            case 0:
                link.wild = true;
                return send(shard, link, slot, in.bytes(in.byte()), true);
            case 1:
                return connect(shard, link, slot, in);
            case 2:
                if (std::exchange(link.open, false)) shard.hub->on_closed(link.id, now, wall());
                return;
            case 3:
                return time_or_worse(in.byte());
            case 4:
                shard.hub->on_durable(next_ticket == 0 ? 0 : next_ticket - 1);
                return answer(shard, link, slot);
            case 5:
                settle();
                for (; !shard.unwritten.empty(); shard.unwritten.pop_front()) disk_.apply(shard.unwritten.front());
                return;
            case 6:
                check_output(link);  // the client reads
                return;
            case 7:
                mailbox_capacity = in.byte() & 7U;
                next_ticket += (in.byte() & 1U);
                echo = (in.byte() & 1U) != 0;
                return change_gate(in.byte());
            case 8:
            case 9:
                encode_subscribe(out, link.version, in);
                break;
            case 10: {
                const std::string_view filter = kFilters[in.byte() & 7U];
                mqtt::encode_unsubscribe(out, 9, std::span(&filter, 1), link.version);
                break;
            }
            case 11:
            case 12:
            case 13:
                encode_publish(out, link.version, in);
                break;
            case 14: {
                constexpr std::array kTypes{mqtt::PacketType::puback, mqtt::PacketType::pubrec, mqtt::PacketType::pubrel,
                                            mqtt::PacketType::pubcomp};
                const auto type = kTypes[in.byte() & 3U];
                check_output(link);  // what it answers it has read
                if (type == mqtt::PacketType::puback || type == mqtt::PacketType::pubcomp) --link.owed;
                mqtt::encode_ack(out, type, {.packet_id = static_cast<mqtt::PacketId>(1 + (in.byte() & 7U)), .properties = {}},
                                 link.version);
                break;
            }
            default:
                mqtt::encode_disconnect(out, {.reason = mqtt::ReasonCode::success, .properties = {}}, link.version);
        }
        send(shard, link, slot, out);
    }

    void time_or_worse(Byte how) {
        switch (how >> 4) {
            case 15:
                return restart(false, how & 15U);
            case 14:
                return restart(true, 0);
            case 13: {
                const std::string_view client = kClients[how & 3U];
                auto& hub = *shards[base::shard_of(base::hash64(client), kShards)]->hub;
                static_cast<void>(hub.disconnect(client, mqtt::ReasonCode::administrative_action, now, wall()));
                return;
            }
            case 12:
                for (auto& shard : shards) shard->hub->on_input_held(now);
                return;
            default:
                return pass_time(std::chrono::milliseconds(1 << (how & 15U)));
        }
    }

    void connect(Shard& shard, Link& link, std::size_t slot, Input& in) {
        if (link.open) return;
        const Byte flags = in.byte();
        const std::string_view client = kClients[in.byte() & 3U];
        Shard& home = client.empty() ? shard : *shards[base::shard_of(base::hash64(client), kShards)];
        Link& at = home.links[slot];
        if (at.open) return;
        Bytes properties;
        Bytes will_properties;
        mqtt::PropertyWriter writer(properties);
        mqtt::PropertyWriter will_writer(will_properties);
        mqtt::Connect packet{.version = (flags & 1U) != 0 ? mqtt::Version::v5 : mqtt::Version::v311,
                             .clean_start = (flags & 2U) != 0 || client.empty(),
                             .client_id = client,
                             .will = {},
                             .user = {},
                             .password = {},
                             .properties = {}};
        packet.keep_alive = std::chrono::duration<std::uint16_t>(static_cast<std::uint16_t>((flags & 4U) != 0 ? 10 : 0));
        if ((flags & 8U) != 0) writer.number(mqtt::Property::session_expiry_interval, 1U + flags);
        if ((flags & 16U) != 0) writer.number(mqtt::Property::receive_maximum, 1U + (flags >> 6));
        if ((flags & 32U) != 0) writer.number(mqtt::Property::maximum_packet_size, 40);
        if ((flags & 24U) == 24U) writer.number(mqtt::Property::topic_alias_maximum, 3);
        if ((flags & 12U) == 12U) writer.number(mqtt::Property::request_problem_information, 1);
        packet.properties = writer.done();
        if ((flags & 64U) != 0) {
            if ((flags & 128U) != 0) will_writer.number(mqtt::Property::will_delay_interval, 5);
            packet.will = mqtt::Will{.topic = "a/b", .payload = {}, .qos = mqtt::Qos::at_least_once, .properties = will_writer.done()};
        }
        Bytes out;
        mqtt::encode_connect(out, packet);
        send(home, at, slot, out);
    }

    static void encode_subscribe(Bytes& out, mqtt::Version version, Input& in) {
        const Byte options = in.byte();
        const std::string_view filter = kFilters[in.byte() & 7U];
        Bytes properties;
        mqtt::PropertyWriter writer(properties);
        if ((options & 128U) != 0) writer.number(mqtt::Property::subscription_identifier, 1U + options);
        const bool v5 = version == mqtt::Version::v5;
        const mqtt::Subscription one{.filter = filter,
                                     .qos = static_cast<mqtt::Qos>((options & 3U) % 3),
                                     .no_local = v5 && (options & 4U) != 0 && !mqtt::is_shared(filter),
                                     .retain_as_published = v5 && (options & 8U) != 0,
                                     .retain_handling = static_cast<mqtt::RetainHandling>(v5 ? ((options >> 4) & 3U) % 3 : 0)};
        std::array<mqtt::Subscription, 3> several{one, one, one};
        const std::size_t count = (options & 64U) != 0 ? several.size() : 1;  // also what is reserved in version 5
        if (count != 1) several[1].filter = kFilters[(options + 1) & 7U];
        if (!v5 || count == 1 || !mqtt::is_shared(several[1].filter) || !one.no_local)
            mqtt::encode_subscribe(out, 8, std::span(several).first(count), version, writer.done());
    }

    static void encode_publish(Bytes& out, mqtt::Version version, Input& in) {
        const Byte options = in.byte();
        const Byte size = in.byte();
        const auto payload = in.bytes(size & 127U);
        Bytes properties;
        mqtt::PropertyWriter writer(properties);
        if ((options & 64U) != 0) writer.number(mqtt::Property::topic_alias, 1U + (size & 15U));
        if ((options & 128U) != 0) {
            writer.number(mqtt::Property::message_expiry_interval, size & 7U);
            writer.text(mqtt::Property::response_topic, kTopics[size & 7U]);
        }
        const auto qos = static_cast<mqtt::Qos>((options & 3U) % 3);
        mqtt::encode_publish(out,
                             {.topic = kTopics[(options >> 3) & 7U],
                              .payload = payload,
                              .packet_id = static_cast<mqtt::PacketId>(qos == mqtt::Qos::at_most_once ? 0 : 1 + (size & 7U)),
                              .qos = qos,
                              .retain = (options & 4U) != 0,
                              .properties = writer.done()},
                             version);
    }

    void send(Shard& shard, Link& link, std::size_t slot, ByteView bytes, bool wild = false) {
        if (!link.open) {
            link = Link{};
            link.wild = wild;
            link.id = hub::ConnectionId((std::uint64_t{++generation_} << 32) | slot);
            link.open = true;
            shard.hub->on_connected(link.id, {}, now);
        }
        base::append(link.unconsumed, bytes);
        const auto framed = mqtt::frame(link.unconsumed);
        if (framed.status == mqtt::FrameStatus::complete && !std::exchange(link.spoke, true) &&
            framed.type() == mqtt::PacketType::connect) {
            mqtt::Connect packet;
            static_cast<void>(mqtt::decode_connect(framed.body(link.unconsumed), packet));  // only its version is wanted
            link.version = packet.version;
            link.packet_bytes_max = packet.properties.number_or(mqtt::Property::maximum_packet_size, ~0U);
            link.window = std::min(packet.properties.number_or(mqtt::Property::receive_maximum, 65'535), 3U);
            link.aliases_max = std::min(packet.properties.number_or(mqtt::Property::topic_alias_maximum, 0), 3U);
        }
        // A buffer of its own of exactly this size: reading past the padding is found by the sanitizer.
        Bytes padded;
        padded.reserve(link.unconsumed.size() + data::kReadablePadding);
        padded = link.unconsumed;
        padded.resize(link.unconsumed.size() + data::kReadablePadding);
        const auto consumed = shard.hub->on_bytes(link.id, ByteView(padded).first(link.unconsumed.size()), now, wall());
        require(consumed <= link.unconsumed.size());
        link.unconsumed.erase(link.unconsumed.begin(), link.unconsumed.begin() + static_cast<std::ptrdiff_t>(consumed));
        if (!link.open) check_output(link);
    }

    /// An answer, wanted or not, and what was not consumed again.
    void answer(Shard& shard, Link& link, std::size_t slot) {
        shard.hub->on_authenticated(link.id, gate.admission(link.id));
        if (link.open) send(shard, link, slot, {});
    }

    void change_gate(Byte how) {
        gate.late = (how & 1U) != 0;
        gate.principals = (how >> 1) & 1U;
        if ((how & 4U) == 0) return;
        gate.forbidden = (how & 8U) != 0 ? 3 : 0;
        gate.gone = (how & 16U) != 0 ? 1 : ~0U;
        for (auto& shard : shards) shard->hub->review_permissions((how & 32U) != 0 ? nullptr : &gate);
    }

    void pass_time(std::chrono::nanoseconds by) {
        now += by;
        for (auto& shard : shards) shard->hub->on_tick(now, wall());
    }

    void settle() {
        for (std::uint16_t i = 0; i < kShards; ++i) {
            shards[i]->hub->end_of_turn(now);
            for (auto& box = shards[i]->inbox; !box.empty();) {
                const hub::ShardMessage message = std::move(box.front());
                box.pop_front();
                shards[i]->hub->on_shard_message(data::ShardIndex(static_cast<std::uint16_t>(1 - i)), message, now, wall());
            }
        }
    }

    void check() {
        for (auto& shard : shards) {
            std::uint64_t open = 0;
            for (const Link& link : shard->links) open += link.open ? 1 : 0;
            const auto& counters = shard->hub->counters();
            require(counters.connections == open);
            require(counters.sessions <= 4 && counters.subscriptions <= 20 && counters.retained_messages <= 3);
            require(counters.messages_waiting <= 4 * (3 + 4));
        }
    }

    /// Everybody leaves, all sessions end: nothing may be left but retained messages.
    void finish() {
        mailbox_capacity = 255;
        for (auto& shard : shards)
            for (Link& link : shard->links) {
                if (link.open) check_output(link);
                if (std::exchange(link.open, false)) shard->hub->on_closed(link.id, now, wall());
            }
        for (int i = 0; i < 4; ++i) {
            pass_time(std::chrono::hours(24 * 8));
            settle();
        }
        for (auto& shard : shards) {
            shard->hub->on_durable(next_ticket);
            const auto& counters = shard->hub->counters();
            require(counters.connections == 0 && counters.sessions == 0 && counters.subscriptions == 0);
            require(counters.messages_waiting == 0 && counters.waiting_bytes == 0 && counters.acks_pending == 0);
        }
    }

    bool journals_;
    Disk disk_;
    std::uint32_t generation_ = 0;
};

hub::Ticket Shard::accept(const data::Reading& reading, bool acknowledged) {
    require(!reading.topic.empty());
    volatile Byte sink = 0;
    for (std::size_t i = 0; i < data::kReadablePadding; ++i) sink = reading.payload.data()[reading.payload.size() + i];
    static_cast<void>(sink);
    if (world_.echo) hub->publish({.topic = "a/b", .payload = reading.payload, .qos = 1, .retain = true}, world_.now, world_.wall());
    return acknowledged && world_.next_ticket != 0 ? world_.next_ticket++ : 0;
}

hub::Ticket Shard::ticket() { return world_.next_ticket != 0 ? world_.next_ticket++ : 0; }

bool Shard::to_shard(data::ShardIndex to, hub::ShardMessage&& message) {
    require(to.value() != index_);
    auto& box = world_.shards[to.value()]->inbox;
    if (box.size() >= world_.mailbox_capacity) return false;
    box.push_back(std::move(message));
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    World world(size % 2 == 1);  // what survives the process
    Input in({data, size});
    world.run(in);
    return 0;
}
