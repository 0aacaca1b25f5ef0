#include "flow/hub/deliverer.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "codec/mqtt/encode.hpp"
#include "flow/hub/publish_packet.hpp"

namespace sluice::hub {

using mqtt::PacketType;
using mqtt::ReasonCode;
using mqtt::Version;

namespace {
/// Retained messages that may be on their way to new subscribers of one hub, 32 bytes each.
constexpr std::size_t kWishesMax = 1'000'000;

/// What a waiting message counts: itself and, about, its place in a queue and its header. Shared ones count for each that waits.
constexpr std::size_t kCostAround = 96;
std::size_t cost(const Delivery& delivery) { return delivery.message ? delivery.message.size() + kCostAround : 0; }

std::size_t inflight_bytes(const Outbox& box) { return box.bytes - box.queue_bytes - box.queue.size() * kCostAround; }

/// Places that an empty queue keeps.
constexpr std::size_t kKeptPlaces = 128;
bool too_roomy(const Ring<Delivery>& ring) { return ring.empty() && ring.memory() > kKeptPlaces * sizeof(Delivery); }
}  // namespace

void Deliverer::begin() {
    targets_.clear();
    more_identifiers_.clear();
    ++stamp_;
}

void Deliverer::target(SessionIndex index, const Subscriber& subscription) {
    Session& session = sessions_[index];
    if (session.target_stamp != stamp_) {
        if (session.serial == 0) return;  // it has ended; its filters follow
        session.target_stamp = stamp_;
        session.target = static_cast<std::uint32_t>(targets_.size());
        targets_.push_back({.session = index,
                            .identifier = subscription.identifier,
                            .qos = subscription.options.qos(),
                            .retain_as_published = subscription.options.retain_as_published()});
        return;
    }
    Target& target = targets_[session.target];
    target.qos = std::max(target.qos, subscription.options.qos());
    target.retain_as_published = target.retain_as_published || subscription.options.retain_as_published();
    if (subscription.identifier == 0) return;
    if (target.identifier == 0) {
        target.identifier = subscription.identifier;
    } else {
        more_identifiers_.emplace_back(session.target, subscription.identifier);
        ++target.more_identifiers;
    }
}

void Deliverer::deliver(const Passing& message, base::Monotonic now) {
    if (targets_.empty()) return;
    memory_.before_output();
    for (auto& bytes : encoded_) bytes.clear();
    for (const Target& target : targets_) deliver_to(target, message, now);
    kept_ = {};
}

void Deliverer::deliver_to(const Target& target, const Passing& message, base::Monotonic now) {
    Session& session = sessions_[target.session];
    const std::uint8_t qos = std::min(target.qos, message.qos);
    if (qos == 0) {
        if (session.online()) deliver_unacknowledged(session, target, message, now);
        return;
    }
    if (!kept_) kept_ = MessageRef(message, memory_.messages);
    Delivery delivery{
        .message = kept_, .identifier = target.identifier, .qos = qos, .retain = message.retain && target.retain_as_published};
    if (target.more_identifiers != 0) {
        gather_identifiers(target);
        delivery.more_identifiers = std::make_unique<std::vector<std::uint32_t>>(identifiers_.begin() + 1, identifiers_.end());
    }
    if (session.online()) {
        Outbox& box = outbox(session);
        base::Bytes* out = port_.output(session.connection);
        const bool in_order = box.queue.empty() && box.sent == box.inflight.size() && window_open(session, box);
        if (in_order && out != nullptr && has_room(session, *out)) return send_new(session, *out, std::move(delivery), now);
    }
    enqueue(target.session, std::move(delivery));
}

void Deliverer::deliver_unacknowledged(Session& session, const Target& target, const Passing& message, base::Monotonic now) {
    base::Bytes* out = port_.output(session.connection);
    if (out == nullptr) return;
    if (!has_room(session, *out)) return count_unroomy(session, *out);
    const std::size_t before = out->size();
    const bool v5 = session.version == Version::v5;
    const bool retain = message.retain && target.retain_as_published;
    bool fits;
    if (target.identifier == 0 && targets_.size() > 1 && !session.aliases) {
        const base::Bytes& packet = encoded(message, v5, retain, now);
        fits = packet.size() <= session.packet_bytes_max;
        if (fits) base::append(*out, packet);
    } else {
        if (target.identifier != 0) gather_identifiers(target);
        PublishPacket packet{
            .message = message,
            .v5 = v5,
            .retain = retain,
            .identifiers = target.identifier != 0 ? std::span<const std::uint32_t>(identifiers_) : std::span<const std::uint32_t>(),
            .now = now};
        fits = append_publish(session, *out, packet);
    }
    if (!fits) {
        ++counters_.dropped_too_large;
        return;
    }
    memory_.count_output(out->size() - before);
    ++counters_.delivered;
    ++counters_.packets_out;
    ++session.messages_out;
    counters_.bytes_out += message.payload.size();
}

/// A message of QoS 0 found no room: for more than this client alone?
void Deliverer::count_unroomy(const Session& session, const base::Bytes& out) {
    ++counters_.dropped_queue_full;
    if (out.size() < limits_.output_bytes_max || port_.queued_bytes(session.connection) < limits_.output_bytes_max)
        ++counters_.dropped_memory;
}

/// False, and nothing written: larger than the client takes.
bool Deliverer::append_publish(Session& session, base::Bytes& out, PublishPacket& packet) const {
    if (session.aliases) use_alias(*session.aliases, session.packet_bytes_max, packet);
    const PublishWriter writer(packet);
    if (writer.size() > session.packet_bytes_max) return false;
    writer.append(out);
    return true;
}

void Deliverer::use_alias(TopicAliases& aliases, std::size_t bytes_max, PublishPacket& packet) const {
    constexpr std::size_t kAliasBytes = 5;  // the property, and a byte more for each of the two lengths
    const bool room = PublishWriter(packet).size() + kAliasBytes <= bytes_max;
    if (!room) return;  // without an alias it may fit
    const std::string_view topic = packet.message.topic;
    const std::uint64_t hash = base::hash64(topic, secret_);
    packet.alias = aliases.find(topic, hash);
    packet.alias_known = packet.alias != 0;
    if (packet.alias_known) return;
    packet.alias = aliases.assign(topic, hash);
    if (packet.alias == 0) ++counters_.aliases_missed;
}

void Deliverer::gather_identifiers(const Target& target) {
    identifiers_.assign(1, target.identifier);
    if (target.more_identifiers == 0) return;
    const auto place = static_cast<std::uint32_t>(&target - targets_.data());
    for (const auto& [owner, identifier] : more_identifiers_)
        if (owner == place) identifiers_.push_back(identifier);
}

const base::Bytes& Deliverer::encoded(const Passing& message, bool v5, bool retain, base::Monotonic now) {
    base::Bytes& bytes = encoded_[(v5 ? 2U : 0U) + (retain ? 1U : 0U)];
    if (bytes.empty()) {
        const PublishPacket packet{.message = message, .v5 = v5, .retain = retain, .now = now};
        PublishWriter(packet).append(bytes);
    }
    return bytes;
}

bool Deliverer::ready(const Session& session) const {
    if (!session.online()) return false;
    memory_.before_output();
    const base::Bytes* out = port_.output(session.connection);
    if (out == nullptr || !has_room(session, *out)) return false;
    return !session.outbox || (session.outbox->queue.empty() && window_open(session, *session.outbox));
}

bool Deliverer::has_room(const Session& session, const base::Bytes& out) const {
    const std::size_t most = memory_.output_max();
    return out.size() < most || port_.queued_bytes(session.connection) < most;
}

Outbox& Deliverer::outbox(Session& session) {
    if (!session.outbox) {
        session.outbox = std::make_unique<Outbox>();
        session.outbox->kept = session.kept;
        session.outbox->memory = Charge(memory_.messages, sizeof(Outbox));
    }
    return *session.outbox;
}

void Deliverer::limit_queue(Session& session, QueueLimits limits) {
    Outbox& box = outbox(session);
    box.queue_messages_max = limits.messages;
    box.queue_bytes_max = limits.bytes;
}

void Deliverer::enqueue(SessionIndex index, Delivery&& delivery) {
    Session& session = sessions_[index];
    Outbox& box = outbox(session);
    const std::size_t size = delivery.message.size();
    const std::size_t messages_max = box.queue_messages_max != 0 ? box.queue_messages_max : limits_.queue_messages_max;
    const std::size_t bytes_max = box.queue_bytes_max != 0 ? box.queue_bytes_max : limits_.queue_bytes_max;
    for (;;) {
        const bool room = box.queue.size() < messages_max && box.queue_bytes + size <= bytes_max && affordable(delivery);
        if (room && box.bytes + cost(delivery) <= memory_.share()) break;
        ++box.dropped;
        ++counters_.dropped_queue_full;
        if (room) ++counters_.dropped_memory;
        if (box.queue.empty()) return recorder_.done(box, delivery);
        recorder_.done(box, take_queued(box));  // the oldest goes
    }
    if (delivery.number == 0) recorder_.add(box, delivery);
    box.queue_bytes += size;
    waits(box, delivery);
    box.queue.push_back(std::move(delivery));
    recount(box);
    if (session.online() && window_open(session, box)) hold_back(index);  // no acknowledgement will call for it
}

bool Deliverer::affordable(const Delivery& delivery) const {
    return counters_.waiting_bytes + memory_.elsewhere().waiting_bytes + cost(delivery) <= limits_.waiting_bytes_max;
}

/// May one more be in flight? The first always may.
bool Deliverer::window_open(const Session& session, const Outbox& box) const {
    const std::size_t bytes = inflight_bytes(box);
    return box.inflight.size() < session.inflight_max && bytes < limits_.queue_bytes_max && bytes <= memory_.share();
}

void Deliverer::waits(Outbox& box, const Delivery& delivery) {
    box.bytes += cost(delivery);
    counters_.waiting_bytes += cost(delivery);
    ++counters_.messages_waiting;
}

void Deliverer::waits_no_more(Outbox& box, const Delivery& delivery) {
    box.bytes -= cost(delivery);
    counters_.waiting_bytes -= cost(delivery);
    --counters_.messages_waiting;
}

Delivery Deliverer::take_queued(Outbox& box) {
    Delivery oldest = box.queue.pop_front();
    box.queue_bytes -= oldest.message.size();
    waits_no_more(box, oldest);
    if (too_roomy(box.queue)) {
        box.queue.clear();
        recount(box);
    }
    return oldest;
}

mqtt::PacketId Deliverer::next_packet_id(Outbox& box) {
    if (box.inflight.empty()) box.went_round = false;
    for (;;) {
        if (box.last_packet_id == 0xFFFF) {
            box.last_packet_id = 0;
            box.went_round = true;
        }
        const mqtt::PacketId id = ++box.last_packet_id;
        if (!box.went_round) return id;  // all in flight are smaller
        bool used = false;
        for (std::size_t i = 0; i < box.inflight.size(); ++i) used = used || box.inflight[i].packet_id == id;
        if (!used) return id;
    }
}

bool Deliverer::fits(const Session& session, const Delivery& delivery) const {
    const std::size_t around = 64 + (delivery.more_identifiers ? delivery.more_identifiers->size() * 5 : 0);  // headers, at most
    if (delivery.message.size() + around <= session.packet_bytes_max) return true;
    std::vector<std::uint32_t> identifiers;
    if (delivery.identifier != 0) identifiers.push_back(delivery.identifier);
    if (delivery.more_identifiers)
        identifiers.insert(identifiers.end(), delivery.more_identifiers->begin(), delivery.more_identifiers->end());
    const Passing message = delivery.message.passing();
    const PublishPacket packet{
        .message = message, .v5 = session.version == Version::v5, .qos = delivery.qos, .identifiers = identifiers, .now = {}};
    return PublishWriter(packet).size() <= session.packet_bytes_max;
}

void Deliverer::write(Session& session, base::Bytes& out, const Delivery& delivery, bool dup, base::Monotonic now) {
    identifiers_.clear();
    if (delivery.identifier != 0) identifiers_.push_back(delivery.identifier);
    if (delivery.more_identifiers)
        identifiers_.insert(identifiers_.end(), delivery.more_identifiers->begin(), delivery.more_identifiers->end());
    const Passing message = delivery.message.passing();
    PublishPacket packet{.message = message,
                         .v5 = session.version == Version::v5,
                         .qos = delivery.qos,
                         .retain = delivery.retain,
                         .dup = dup,
                         .packet_id = delivery.packet_id,
                         .identifiers = identifiers_,
                         .now = now};
    const std::size_t before = out.size();
    if (!append_publish(session, out, packet)) return;  // never: callers ask fits() first
    memory_.count_output(out.size() - before);
    counters_.bytes_out += message.payload.size();
    ++(dup ? counters_.redelivered : counters_.delivered);
    ++counters_.packets_out;
    ++session.messages_out;
}

void Deliverer::send_new(Session& session, base::Bytes& out, Delivery&& delivery, base::Monotonic now) {
    Outbox& box = *session.outbox;
    if (!fits(session, delivery)) {
        ++counters_.dropped_too_large;
        return recorder_.done(box, delivery);
    }
    if (delivery.qos != 0) {
        // Not held against waiting_bytes_max: what absent clients have queued must not stop one that takes its messages (its window bounds
        // it).
        delivery.packet_id = next_packet_id(box);
        delivery.phase = Delivery::Phase::sent;
    }
    write(session, out, delivery, false, now);
    if (delivery.qos == 0) return;
    delivery.number == 0 ? recorder_.add(box, delivery) : recorder_.sent(box, delivery);
    waits(box, delivery);
    box.inflight.push_back(std::move(delivery));
    recount(box);
    ++box.sent;
}

/// False: it can't be sent on this connection and is given up.
bool Deliverer::send_again(Session& session, base::Bytes& out, Delivery& delivery, base::Monotonic now) {
    if (delivery.phase == Delivery::Phase::released) {
        const auto packet = mqtt::short_ack(PacketType::pubrel, delivery.packet_id);
        ++counters_.packets_out;
        base::append(out, base::ByteView(packet));
        return true;
    }
    if (!fits(session, delivery)) {
        ++counters_.dropped_too_large;
        return false;
    }
    write(session, out, delivery, true, now);
    return true;
}

/// What was in flight keeps its identifier. PUBRELs go before the PUBLISHes that are sent again: no window holds them back (MQTT-3.3.4-10),
/// and among themselves both keep their order.
void Deliverer::begin_connection(Session& session) {
    if (!session.outbox) return;
    Outbox& box = *session.outbox;
    box.last_packet_id = 0;
    box.went_round = !box.inflight.empty();
    Ring<Delivery> released;
    Ring<Delivery> others;
    while (!box.inflight.empty()) {
        Delivery one = box.inflight.pop_front();
        (one.phase == Delivery::Phase::released ? released : others).push_back(std::move(one));
    }
    while (!others.empty()) released.push_back(others.pop_front());
    box.inflight = std::move(released);
    recount(box);
}

void Deliverer::resume(SessionIndex index, base::Monotonic now) {
    Session& session = sessions_[index];
    if (!session.outbox || !session.online()) return;
    memory_.before_output();
    base::Bytes* out = port_.output(session.connection);
    if (out == nullptr) return;
    while (has_room(session, *out))
        if (!send_next(session, *out, now)) return;
    hold_back(index);
}

/// False: there is nothing more that could be sent now.
bool Deliverer::send_next(Session& session, base::Bytes& out, base::Monotonic now) {
    Outbox& box = *session.outbox;
    const bool release = box.sent < box.inflight.size() && box.inflight[box.sent].phase == Delivery::Phase::released;
    if (box.sent >= session.inflight_max && !release) return false;
    if (box.sent < box.inflight.size()) {
        if (send_again(session, out, box.inflight[box.sent], now))
            ++box.sent;
        else
            finish(box, box.sent);
        return true;
    }
    if (!window_open(session, box)) return false;
    if (!box.queue.empty()) {
        Delivery next = take_queued(box);
        if (next.message.expires() <= now) {
            ++counters_.dropped_expired;
            recorder_.done(box, next);
        } else {
            send_new(session, out, std::move(next), now);
        }
        return true;
    }
    if (box.wishes.empty()) return search(session);
    if (retained_budget_ == 0) {
        hold_back(session.index);
        return false;
    }
    grant_wish(session, out, now);
    return true;
}

/// Looks up the retained messages of one subscription. False: there is none to look up, or not in this turn.
bool Deliverer::search(Session& session) {
    Outbox& box = *session.outbox;
    if (box.searches.empty()) return false;
    if (search_budget_ == 0) {
        hold_back(session.index);
        return false;
    }
    RetainedSearch& wanted = box.searches.front();
    const std::string filter = subscriptions_.filter(wanted.filter);
    found_.clear();
    const auto note = [this](NodeIndex node, RetainStamp stamp) { found_.emplace_back(node, stamp); };
    if (wanted.next == 0) {
        const std::size_t cost = kSearchCost + retained_.match(filter, kSearchPerTurn, note);
        search_budget_ -= std::min(search_budget_, cost);
        if (cost > kSearchCost + kSearchPerTurn) {
            found_.clear();
            wanted.next = 1;
            wanted.until = retained_.latest();
            return true;
        }
    } else {
        wanted.next = retained_.scan(filter, wanted.next, search_budget_, wanted.until, note);
        search_budget_ = 0;
    }
    for (const auto& [node, stamp] : found_) {
        if (wishes_ >= kWishesMax) {
            ++counters_.dropped_queue_full;
            continue;
        }
        ++wishes_;
        box.wishes.push_back(
            {.stamp = stamp, .node = node, .filter = wanted.filter, .identifier = wanted.identifier, .options = wanted.options});
    }
    if (wanted.next == 0) box.searches.pop_front();
    return true;
}

void Deliverer::grant_wish(Session& session, base::Bytes& out, base::Monotonic now) {
    const RetainedWish wish = session.outbox->wishes.pop_front();
    --wishes_;
    MessageRef message = retained_.get(wish.node, wish.stamp);
    if (!message || message.expires() <= now) return;
    retained_budget_ -= std::min(retained_budget_, message.size());
    const auto qos = std::min(wish.options.qos(), message.passing().qos);
    Delivery delivery{.message = std::move(message), .identifier = wish.identifier, .qos = qos, .retain = true};
    send_new(session, out, std::move(delivery), now);
}

void Deliverer::send_retained(Session& session, const RetainedSearch& search) {
    auto& searches = outbox(session).searches;
    if (search.again) searches.erase_if([&](const RetainedSearch& one) { return one.filter == search.filter; });  // the later options count
    searches.push_back(search);
}

void Deliverer::forget_retained(Session& session, NodeIndex filter) {
    if (!session.outbox) return;
    session.outbox->searches.erase_if([&](const RetainedSearch& one) { return one.filter == filter; });
    wishes_ -= session.outbox->wishes.erase_if([&](const RetainedWish& one) { return one.filter == filter; });
}

/// Takes one out of those in flight.
void Deliverer::finish(Outbox& box, std::size_t place) {
    const Delivery delivery = box.inflight.take(place);
    recorder_.done(box, delivery);
    waits_no_more(box, delivery);
    if (place < box.sent) --box.sent;
    if (too_roomy(box.inflight)) {
        box.inflight.clear();
        recount(box);
    }
}

/// An identifier that is not in flight is left over from something that both have forgotten: no error (§4.4).
bool Deliverer::on_ack(SessionIndex index, PacketType type, mqtt::PacketId id, ReasonCode reason, base::Monotonic now) {
    using enum Delivery::Phase;
    Session& session = sessions_[index];
    Outbox& box = outbox(session);
    std::size_t place = 0;
    while (place < box.sent && box.inflight[place].packet_id != id) ++place;
    const bool found = place < box.sent;
    if (found) {
        const bool exactly_once = box.inflight[place].qos == 2;
        const bool waits_for_comp = exactly_once && box.inflight[place].phase == released;
        const bool expected = type == PacketType::puback ? !exactly_once : type == PacketType::pubrec ? exactly_once : waits_for_comp;
        if (!expected) return false;
    }
    if (type == PacketType::pubrec && !mqtt::is_error(reason)) {
        base::Bytes* out = port_.output(session.connection);
        if (out == nullptr) return true;
        if (found) {
            recorder_.released(box, box.inflight[place]);
            box.inflight[place].phase = released;
            counters_.waiting_bytes -= cost(box.inflight[place]);
            box.bytes -= cost(box.inflight[place]);
            box.inflight[place].message = {};
        }
        const auto packet = mqtt::short_ack(PacketType::pubrel, id);
        ++counters_.packets_out;
        base::append(*out, base::ByteView(packet));
        return true;
    }
    if (found) {
        finish(box, place);
        if (type != PacketType::pubrec) ++counters_.acked_by_subscribers;
    }
    resume(index, now);
    return true;
}

void Deliverer::suspend(Session& session) {
    if (!session.outbox) return;
    Outbox& box = *session.outbox;
    box.sent = 0;
    wishes_ -= box.wishes.size();
    box.wishes.clear();
    box.searches.clear();
}

void Deliverer::restore(Session& session, Delivery&& delivery) {
    Outbox& box = outbox(session);
    box.last_number = std::max(box.last_number, delivery.number);
    if (delivery.phase == Delivery::Phase::waiting) return enqueue(session.index, std::move(delivery));
    box.last_packet_id = delivery.packet_id;
    box.went_round = true;  // smaller ones may be free again: identifiers are looked up before they are given
    waits(box, delivery);
    box.inflight.push_back(std::move(delivery));
    recount(box);
}

void Deliverer::discard(Session& session) {
    if (!session.outbox) return;
    suspend(session);
    Outbox& box = *session.outbox;
    counters_.dropped_session_end += box.inflight.size() + box.queue.size();
    while (!box.inflight.empty()) finish(box, 0);
    while (!box.queue.empty()) static_cast<void>(take_queued(box));
    session.outbox.reset();
}

void Deliverer::hold_back(SessionIndex index) {
    if (std::exchange(sessions_[index].outbox->listed, true)) return;
    held_back_.push_back(index);
}

void Deliverer::retry(base::Monotonic now) {
    search_budget_ = kSearchPerTurn;
    retained_budget_ = kRetainedBytesPerTurn;
    if (held_back_.empty()) return;
    retrying_.swap(held_back_);
    for (const SessionIndex index : retrying_) {
        Session& session = sessions_[index];
        if (!session.outbox) continue;  // ended meanwhile
        session.outbox->listed = false;
        resume(index, now);
    }
    retrying_.clear();
}

}  // namespace sluice::hub
