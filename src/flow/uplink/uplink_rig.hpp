// For tests: a spool in memory, a transport that keeps bytes, and a cloud that speaks just enough MQTT and answers when told to.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "codec/mqtt/framing.hpp"
#include "codec/wire/batch.hpp"
#include "codec/wire/topics.hpp"
#include "flow/uplink/broker_dialect.hpp"
#include "flow/uplink/mqtt_carrier.hpp"
#include "flow/uplink/sluice_dialect.hpp"
#include "flow/uplink/uplink.hpp"

namespace sluice::uplink::testing {

using base::Monotonic;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct FakeEvent {
    std::string json;  ///< empty: gone
    base::DropReason reason = base::DropReason::ttl;
};

class FakeSpool final : public EventSource {
public:
    void add(unsigned event_class, std::string json) { events[event_class].push_back({.json = std::move(json)}); }
    void add_many(unsigned event_class, std::size_t count, std::size_t size = 40) {
        for (std::size_t i = 0; i < count; ++i) {
            auto json = "{\"n\":" + std::to_string(events[event_class].size() + 1) + ",\"x\":\"";
            while (json.size() + 2 < size)
                json.push_back(static_cast<char>('a' + (noise_ = noise_ * 6364136223846793005 + 1) % 8209 % 26));  // shrinks little
            add(event_class, json + "\"}");
        }
    }
    data::Sequence first_unacknowledged(data::ClassIndex c) const override { return data::Sequence(at(acked, c) + 1); }
    data::Sequence readable_end(data::ClassIndex c) const override {
        const auto found = events.find(c.value());
        return data::Sequence(1 + (found == events.end() ? 0 : found->second.size()));
    }
    base::Result<Read> read(data::ClassIndex c, data::Sequence from, ReadLimits limits, EventVisitor& visitor) override {
        ++reads;
        if (fail_reads != 0) {
            --fail_reads;
            return base::Error{base::Errc::io};
        }
        auto next = std::max(from.value(), at(acked, c) + 1);
        std::size_t bytes = 0;
        std::size_t count = 0;
        for (auto& list = events[c.value()]; next <= list.size(); ++next, ++count) {
            const auto& json = list[next - 1].json;
            if (count != 0 && (count == limits.events || bytes + json.size() > limits.bytes)) break;
            if (json.empty()) {
                visitor.gap(data::Sequence(next), data::Sequence(next), list[next - 1].reason);
            } else {
                visitor.event(data::Sequence(next), "rule", 7, base::as_bytes(json));
            }
            bytes += json.size();
        }
        return Read{data::Epoch(9), data::Sequence(next)};
    }
    void acknowledge(data::ClassIndex c, data::Sequence up_to) override { acked[c.value()] = std::max(acked[c.value()], up_to.value()); }

    void drop(data::ClassIndex c, data::Sequence sequence, base::DropReason reason) override {
        events[c.value()].at(sequence.value() - 1) = {.json = {}, .reason = reason};
    }

    std::map<unsigned, std::vector<FakeEvent>> events;
    std::map<unsigned, std::uint64_t> acked;
    unsigned fail_reads = 0;
    unsigned reads = 0;

private:
    std::uint64_t noise_ = 1;
    static std::uint64_t at(const std::map<unsigned, std::uint64_t>& map, data::ClassIndex c) {
        const auto found = map.find(c.value());
        return found == map.end() ? 0 : found->second;
    }
};

class FakeStatus final : public StatusSource {
public:
    void append_ledger(base::Bytes& out) override { base::append(out, std::string_view(R"({"readings_in":1})")); }
};

class FakeTransport final : public Transport {
public:
    void open() override {
        ++opens;
        is_open = true;
        sent.clear();
    }
    void send(base::ByteView bytes) override { base::append(sent, bytes); }
    void close(bool) override {
        ++closes;
        is_open = false;
    }
    base::Bytes sent;
    unsigned opens = 0;
    unsigned closes = 0;
    bool is_open = false;
};

class FixedEntropy final : public env::Entropy {
public:
    void fill(std::span<base::Byte> out) override {
        for (auto& byte : out) byte = 0xff;
    }
};

/// A message that the cloud got.
struct Message {
    mqtt::PacketId id = 0;
    std::string topic;
    std::string class_name;  ///< of batches
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::size_t events = 0;
    std::size_t bytes = 0;
    std::string text;  ///< of a status
    std::vector<std::string> items;
};

/// Reads what the uplink wrote; keeps what is not acknowledged.
class FakeCloud {
public:
    void take(base::Bytes& in) {
        base::append(buffer_, in);
        in.clear();
        for (;;) {
            const auto framed = mqtt::frame(buffer_);
            if (framed.status != mqtt::FrameStatus::complete) return;
            take_packet(framed);
            buffer_.erase(buffer_.begin(), buffer_.begin() + framed.total);
        }
    }
    [[nodiscard]] std::vector<Message> batches() const {
        std::vector<Message> found;
        for (const auto& row : messages)
            if (!row.class_name.empty()) found.push_back(row);
        return found;
    }
    static base::Bytes connack(mqtt::ReasonCode reason = mqtt::ReasonCode::success, std::uint32_t packet_bytes_max = 0) {
        base::Bytes out;
        base::Bytes scratch;
        mqtt::Connack packet;
        packet.reason = reason;
        if (packet_bytes_max != 0)
            packet.properties = mqtt::PropertyWriter(scratch).number(mqtt::Property::maximum_packet_size, packet_bytes_max).done();
        mqtt::encode_connack(out, packet, mqtt::Version::v5);
        return out;
    }
    static base::Bytes puback(mqtt::PacketId id, mqtt::ReasonCode reason = mqtt::ReasonCode::success) {
        base::Bytes out;
        mqtt::encode_ack(out, mqtt::PacketType::puback, {.packet_id = id, .reason = reason, .properties = {}}, mqtt::Version::v5);
        return out;
    }

    std::vector<Message> messages;
    std::string client_id, user, password, will_topic, will_payload;
    unsigned connects = 0, pings = 0, disconnects = 0;

private:
    void take_packet(const mqtt::Framed& framed) {
        const auto body = framed.body(buffer_);
        switch (framed.type()) {
            case mqtt::PacketType::connect: {
                mqtt::Connect packet;
                if (!mqtt::decode_connect(body, packet)) std::abort();
                ++connects;
                client_id = packet.client_id;
                user = packet.user.value_or("");
                password = packet.password ? std::string(base::as_text(*packet.password)) : "(none)";
                will_topic = packet.will ? packet.will->topic : "";
                will_payload = packet.will ? std::string(base::as_text(packet.will->payload)) : "";
                break;
            }
            case mqtt::PacketType::publish:
                take_publish(framed.first, body);
                break;
            case mqtt::PacketType::pingreq:
                ++pings;
                break;
            case mqtt::PacketType::disconnect:
                ++disconnects;
                break;
            default:
                std::abort();
        }
    }
    void take_publish(base::Byte first, base::ByteView body) {
        mqtt::Publish packet;
        if (!mqtt::decode_publish(first, body, mqtt::Version::v5, packet)) std::abort();
        Message message;
        message.id = packet.packet_id;
        message.topic = packet.topic;
        message.bytes = packet.payload.size();
        if (wire::parse_topic(packet.topic).channel == wire::Channel::status) {
            message.text = base::as_text(packet.payload);
        } else {
            base::Bytes storage;
            const auto batch = decoder_.decode(packet.payload, storage);
            if (!batch) std::abort();
            message.class_name = batch->class_name();
            message.first = batch->first().value();
            message.last = batch->end().value() - 1;
            message.events = batch->events();
            wire::Item item{};
            for (auto walk = batch->walk(); walk.next(item);)
                message.items.emplace_back(item.json.empty() ? item.label : base::as_text(item.json));
        }
        messages.push_back(std::move(message));
    }
    base::Bytes buffer_;
    wire::Decoder decoder_;
};

/// Everything joined. Classes: 0 alert (priority 0), 1 aggregate (1), 2 sample (2).
class Rig {
public:
    explicit Rig(const Options& changed = {}, MqttSignIn who = sluice_sign_in("plant-7", ""))
        : carrier(
              {.answer_timeout = changed.ack_timeout, .in_flight = static_cast<std::uint16_t>(changed.in_flight + 1)},
              [this, who = std::move(who)] {
                  ++sign_ins;
                  return who;
              },
              transport),
          uplink(prepare(changed), std::make_unique<SluiceDialect>("plant-7"), carrier, spool, status, entropy) {}

    void settle() { cloud.take(transport.sent); }
    void connect(std::uint32_t packet_bytes_max = 0) {
        uplink.start(now);
        accept(packet_bytes_max);
    }
    void accept(std::uint32_t packet_bytes_max = 0) {
        carrier.on_connected(now);
        settle();
        give(FakeCloud::connack(mqtt::ReasonCode::success, packet_bytes_max));
    }
    void give(const base::Bytes& bytes) {
        if (carrier.on_bytes(bytes, now) != bytes.size()) std::abort();
        settle();
    }
    /// Acknowledges the n oldest messages (all by default).
    void ack(std::size_t n = SIZE_MAX) {
        auto acked = cloud.messages;
        acked.resize(std::min(n, acked.size()));
        cloud.messages.erase(cloud.messages.begin(), cloud.messages.begin() + static_cast<std::ptrdiff_t>(acked.size()));
        for (const auto& row : acked) give(FakeCloud::puback(row.id));
    }
    void commit() {
        uplink.on_events(now);
        settle();
    }
    void advance(std::chrono::nanoseconds by) {
        now += by;
        uplink.on_tick(now);
        settle();
    }
    /// Ticks at each deadline until `until` has passed.
    void run(std::chrono::nanoseconds by) {
        const auto until = now + by;
        for (auto next = uplink.next_deadline(); next && *next <= until; next = uplink.next_deadline()) {
            now = std::max(now, *next);
            uplink.on_tick(now);
            settle();
        }
        now = until;
    }

    Monotonic now{seconds(1000)};
    FakeSpool spool;
    FakeStatus status;
    FakeTransport transport;
    FixedEntropy entropy;
    FakeCloud cloud;
    unsigned sign_ins = 0;
    MqttCarrier carrier;
    Uplink uplink;

private:
    static Options prepare(Options options) {
        options.classes = {{data::ClassIndex(0), "alert", 0}, {data::ClassIndex(1), "aggregate", 1}, {data::ClassIndex(2), "sample", 2}};
        return options;
    }
};

}  // namespace sluice::uplink::testing
