#include "flow/hub/world_test.hpp"

#include "data/reading.hpp"

namespace sluice::hub::test {

using mqtt::PacketType;
using mqtt::Property;
using mqtt::Version;

namespace {

std::string quoted(base::ByteView bytes) { return "'" + std::string(base::as_text(bytes)) + "'"; }
unsigned code(mqtt::ReasonCode reason) { return static_cast<unsigned>(reason); }

std::string publish_text(const mqtt::Framed& framed, base::ByteView body, Version version) {
    mqtt::Publish packet;
    EXPECT_TRUE(mqtt::decode_publish(framed.first, body, version, packet).good()) << "the hub sent a malformed PUBLISH";
    std::string text = fmt::format("PUBLISH {} {}", packet.topic, quoted(packet.payload));
    if (packet.qos != mqtt::Qos::at_most_once) text += fmt::format(" q{} #{}", static_cast<unsigned>(packet.qos), packet.packet_id);
    if (packet.retain) text += " retain";
    if (packet.dup) text += " dup";
    packet.properties.for_each([&](const mqtt::PropertyItem& item) {
        if (item.id == Property::subscription_identifier)
            text += fmt::format(" id={}", item.number);
        else if (item.id == Property::message_expiry_interval)
            text += fmt::format(" expiry={}", item.number);
        else if (item.id == Property::topic_alias)
            text += fmt::format(" alias={}", item.number);
        else if (item.id == Property::payload_format_indicator)
            text += fmt::format(" format={}", item.number);
        else
            text += fmt::format(" {}={}{}", static_cast<unsigned>(item.id), item.name, item.text);
    });
    return text;
}

std::string connack_text(base::ByteView body, Version version) {
    mqtt::Connack packet;
    EXPECT_TRUE(mqtt::decode_connack(body, version, packet).good());
    std::string text = fmt::format("CONNACK {:#x}{}", code(packet.reason), packet.session_present ? " present" : "");
    const auto add = [&](const char* name, Property id) {
        if (packet.properties.has(id)) text += fmt::format(" {}={}", name, packet.properties.number_or(id, 0));
    };
    add("expiry", Property::session_expiry_interval);
    add("keep_alive", Property::server_keep_alive);
    if (const auto assigned = packet.properties.text(Property::assigned_client_identifier)) text += fmt::format(" client={}", *assigned);
    return text;
}

std::string suback_text(const char* name, base::ByteView body, Version version, bool subscribe) {
    mqtt::Suback packet;
    const auto verdict = subscribe ? mqtt::decode_suback(body, version, packet) : mqtt::decode_unsuback(body, version, packet);
    EXPECT_TRUE(verdict.good());
    std::string text = fmt::format("{} #{}", name, packet.packet_id);
    for (const auto one : packet.codes) text += fmt::format(" {:#x}", one);
    return text;
}

}  // namespace

std::string to_text(base::ByteView packet, Version version) {
    const auto framed = mqtt::frame(packet);
    const auto body = framed.body(packet);
    switch (framed.type()) {
        case PacketType::publish:
            return publish_text(framed, body, version);
        case PacketType::connack:
            return connack_text(body, version);
        case PacketType::suback:
            return suback_text("SUBACK", body, version, true);
        case PacketType::unsuback:
            return suback_text("UNSUBACK", body, version, false);
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubrel:
        case PacketType::pubcomp: {
            mqtt::Ack ack;
            EXPECT_TRUE(mqtt::decode_ack(framed.first, body, version, ack).good());
            const std::string reason = ack.reason == mqtt::ReasonCode::success ? "" : fmt::format(" {:#x}", code(ack.reason));
            return fmt::format("{} #{}{}", mqtt::name(framed.type()), ack.packet_id, reason);
        }
        case PacketType::disconnect: {
            mqtt::Disconnect disconnect;
            EXPECT_TRUE(mqtt::decode_disconnect(body, version, disconnect).good());
            return fmt::format("DISCONNECT {:#x}", code(disconnect.reason));
        }
        default:
            return std::string(mqtt::name(framed.type()));
    }
}

void Client::send(base::ByteView bytes) {
    base::append(unsent_, bytes);
    if (!held_) present();
}

void Client::present() {
    base::Bytes padded = unsent_;
    padded.resize(padded.size() + data::kReadablePadding, 0xAA);
    const std::size_t consumed =
        world_.hub(shard_).on_bytes(id_, base::ByteView(padded).first(unsent_.size()), world_.now(), world_.wall());
    ASSERT_LE(consumed, unsent_.size());
    unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(consumed));
}

Client& Client::connect(std::string_view client, const ConnectOptions& options) {
    version_ = options.version;
    mqtt::Connect packet{.version = options.version,
                         .clean_start = options.clean,
                         .client_id = client,
                         .will = {},
                         .user = {},
                         .password = {},
                         .properties = {}};
    packet.keep_alive = std::chrono::duration<std::uint16_t>(options.keep_alive);
    if (!options.user.empty()) packet.user = options.user;
    if (!options.password.empty()) packet.password = base::as_bytes(options.password);
    base::Bytes properties;
    base::Bytes will_properties;
    mqtt::PropertyWriter writer(properties);
    if (options.session_expiry != 0) writer.number(Property::session_expiry_interval, options.session_expiry);
    if (options.receive_maximum != 0) writer.number(Property::receive_maximum, options.receive_maximum);
    if (options.packet_bytes_max != 0) writer.number(Property::maximum_packet_size, options.packet_bytes_max);
    packet.properties = writer.done();
    mqtt::PropertyWriter will_writer(will_properties);
    if (options.will_delay != 0) will_writer.number(Property::will_delay_interval, options.will_delay);
    if (!options.will_topic.empty())
        packet.will = mqtt::Will{.topic = options.will_topic,
                                 .payload = base::as_bytes(options.will_payload),
                                 .qos = static_cast<mqtt::Qos>(options.will_qos),
                                 .retain = options.will_retain,
                                 .properties = will_writer.done()};
    base::Bytes out;
    mqtt::encode_connect(out, packet);
    send(out);
    return *this;
}

Client& Client::publish(std::string_view topic, std::string_view payload, const PublishOptions& options) {
    base::Bytes properties;
    mqtt::PropertyWriter writer(properties);
    if (options.alias != 0) writer.number(Property::topic_alias, options.alias);
    if (options.expiry != 0) writer.number(Property::message_expiry_interval, options.expiry);
    if (!options.content_type.empty()) writer.text(Property::content_type, options.content_type);
    if (!options.user_property.empty()) writer.user(options.user_property, options.user_property);
    base::Bytes out;
    mqtt::encode_publish(out,
                         {.topic = topic,
                          .payload = base::as_bytes(payload),
                          .packet_id = options.id,
                          .qos = static_cast<mqtt::Qos>(options.qos),
                          .retain = options.retain,
                          .dup = options.dup,
                          .properties = writer.done()},
                         version_);
    send(out);
    return *this;
}

Client& Client::subscribe(std::string_view filter, const SubscribeOptions& options) {
    base::Bytes properties;
    mqtt::PropertyWriter writer(properties);
    if (options.identifier != 0) writer.number(Property::subscription_identifier, options.identifier);
    const mqtt::Subscription one{.filter = filter,
                                 .qos = static_cast<mqtt::Qos>(options.qos),
                                 .no_local = options.no_local,
                                 .retain_as_published = options.retain_as_published,
                                 .retain_handling = options.retain_handling};
    base::Bytes out;
    mqtt::encode_subscribe(out, options.id, std::span(&one, 1), version_, writer.done());
    send(out);
    return *this;
}

Client& Client::unsubscribe(std::string_view filter, mqtt::PacketId id) {
    base::Bytes out;
    mqtt::encode_unsubscribe(out, id, std::span(&filter, 1), version_);
    send(out);
    return *this;
}

Client& Client::ack(PacketType type, mqtt::PacketId id, mqtt::ReasonCode reason) {
    base::Bytes out;
    mqtt::encode_ack(out, type, {.packet_id = id, .reason = reason, .properties = {}}, version_);
    send(out);
    return *this;
}

Client& Client::ping() {
    send(mqtt::kPingreq);
    return *this;
}

Client& Client::disconnect(mqtt::ReasonCode reason, std::int64_t session_expiry) {
    base::Bytes properties;
    mqtt::PropertyWriter writer(properties);
    if (session_expiry >= 0) writer.number(Property::session_expiry_interval, static_cast<std::uint32_t>(session_expiry));
    base::Bytes out;
    mqtt::encode_disconnect(out, {.reason = reason, .properties = writer.done()}, version_);
    send(out);
    return *this;
}

void Client::drop() {
    if (closed_) return;
    closed_ = true;
    world_.hub(shard_).on_closed(id_, world_.now(), world_.wall());
}

Lines Client::take() {
    world_.settle();
    Lines lines;
    while (unread_ < output_.size()) {
        const auto rest = base::ByteView(output_).subspan(unread_);
        const auto framed = mqtt::frame(rest);
        if (framed.status != mqtt::FrameStatus::complete) {
            ADD_FAILURE() << "the hub sent something that is no packet";
            break;
        }
        lines.push_back(to_text(rest.first(framed.total), version_));
        unread_ += framed.total;
    }
    output_.clear();
    unread_ = 0;
    return lines;
}

base::Bytes Client::take_bytes() {
    world_.settle();
    base::Bytes bytes(output_.begin() + static_cast<std::ptrdiff_t>(unread_), output_.end());
    output_.clear();
    unread_ = 0;
    return bytes;
}

std::string Client::text() { return fmt::format("{}", fmt::join(take(), "; ")); }

// World

World::World(std::uint16_t shards, Limits limits, Authenticator* authenticator, Authenticator* names) {
    for (std::uint16_t i = 0; i < shards; ++i) {
        shards_.push_back(std::make_unique<Shard>(*this, i));
        const Options options{
            .shard = data::ShardIndex(i), .shards = shards, .limits = limits, .authenticator = authenticator, .names = names, .seed = 7};
        shards_.back()->hub = std::make_unique<Hub>(options, *shards_.back());
    }
}

Client& World::open_at(std::uint32_t shard) {
    auto& clients = shards_[shard]->clients;
    const auto slot = clients.size();
    const ConnectionId id((std::uint64_t{1} << 32) | slot);
    clients.push_back(std::make_unique<Client>(*this, shard, id));
    hub(shard).on_connected(id, {.loopback = true}, now_);
    return *clients.back();
}

Client& World::open(std::string_view client_id) {
    return open_at(base::shard_of(base::hash64(client_id), static_cast<unsigned>(shards_.size())));
}

Client& World::client(std::string_view client_id, const ConnectOptions& options) {
    Client& client = open(client_id).connect(client_id, options);
    const auto lines = client.take();
    EXPECT_FALSE(lines.empty()) << "no CONNACK";
    EXPECT_TRUE(lines.empty() || lines.front().starts_with("CONNACK 0x0")) << lines.front();
    return client;
}

void World::settle() {
    for (bool moved = true; moved;) {
        moved = false;
        for (auto& shard : shards_) {
            moved = present_released(*shard) || moved;
            shard->hub->end_of_turn(now_);
            moved = moved || !shard->released.empty();
        }
        for (auto& shard : shards_)
            for (auto& [from, box] : shard->inbox)
                for (; !box.empty(); moved = true) {
                    const ShardMessage message = std::move(box.front());
                    box.pop_front();
                    shard->hub->on_shard_message(data::ShardIndex(static_cast<std::uint16_t>(from)), message, now_, wall());
                }
    }
}

bool World::present_released(Shard& shard) {
    const auto released = std::exchange(shard.released, {});
    for (Client* client : released)
        if (!client->held_ && !client->closed_) client->present();
    return !released.empty();
}

void World::turn(std::uint32_t index) {
    Shard& shard = *shards_[index];
    for (auto& [from, box] : shard.inbox)
        for (; !box.empty(); box.pop_front())
            shard.hub->on_shard_message(data::ShardIndex(static_cast<std::uint16_t>(from)), box.front(), now_, wall());
    if (const auto due = shard.hub->next_deadline(); due && *due <= now_) shard.hub->on_tick(now_, wall());
    present_released(shard);
    shard.hub->end_of_turn(now_);
}

void World::advance(std::chrono::nanoseconds by) {
    const base::Monotonic until = now_ + by;
    settle();
    while (now_ < until) {
        auto next = until;
        for (auto& shard : shards_)
            if (const auto at = shard->hub->next_deadline()) next = std::min(next, std::max(*at, now_ + 1ms));
        now_ = next;
        for (auto& shard : shards_) shard->hub->on_tick(now_, wall());
        settle();
    }
}

std::uint64_t World::total(std::uint64_t Counters::*counter) {
    std::uint64_t sum = 0;
    for (auto& shard : shards_) sum += shard->hub->counters().*counter;
    return sum;
}

Client* World::Shard::find(ConnectionId id) const {
    const auto slot = static_cast<std::uint32_t>(id.value());
    return slot < clients.size() && clients[slot]->id_ == id ? clients[slot].get() : nullptr;
}

base::Bytes* World::Shard::output(ConnectionId to) {
    Client* client = find(to);
    return client != nullptr && !client->closed_ ? &client->output_ : nullptr;
}

std::size_t World::Shard::queued_bytes(ConnectionId of) const {
    const Client* client = find(of);
    return client != nullptr && client->stuck_ ? client->output_.size() : 0;
}

void World::Shard::close(ConnectionId connection) {
    Client* client = find(connection);
    ASSERT_NE(client, nullptr);
    ASSERT_FALSE(client->closed_) << "closed twice";
    client->closed_ = true;
}

Ticket World::Shard::accept(const data::Reading& reading, bool acknowledged) {
    // The padding behind the payload is part of the contract: read it.
    volatile base::Byte sink = 0;
    for (std::size_t i = 0; i < data::kReadablePadding; ++i) sink = reading.payload.data()[reading.payload.size() + i];
    static_cast<void>(sink);
    world.seen.push_back(
        {std::string(reading.topic), std::string(base::as_text(reading.payload)), std::string(reading.client), acknowledged});
    if (world.on_reading) world.on_reading(reading, *hub);
    return acknowledged && world.next_ticket != 0 ? world.next_ticket++ : 0;
}

bool World::Shard::to_shard(data::ShardIndex to, ShardMessage&& message) {
    auto& box = world.shards_[to.value()]->inbox[index];
    if (box.size() >= world.mailbox_capacity) return false;
    box.push_back(std::move(message));
    return true;
}

void World::Shard::hold_input(ConnectionId of, bool hold) {
    Client* client = find(of);
    ASSERT_NE(client, nullptr);
    if (client->held_ == hold) return;
    client->held_ = hold;
    if (!hold) released.push_back(client);
}

std::size_t World::Shard::buffer_bytes() const {
    std::size_t bytes = 0;
    for (const auto& client : clients)
        bytes += client->closed_ ? 0 : client->unsent_.size() + (client->stuck_ ? client->output_.size() : 0);
    return bytes;
}

}  // namespace sluice::hub::test
