// What clients send faster than they may, and what takes more memory than there is.
#include <algorithm>

#include "flow/hub/core.hpp"

namespace sluice::hub {

using base::TokenBucket;
using mqtt::PacketType;

namespace {

/// What stands beside a thing in tables whose size is only known about: half-empty vectors, allocations.
constexpr std::size_t kSubscriptionBytes = 64;  // its entries at the filter and at the session
constexpr std::size_t kFilterPendingBytes = 48;

}  // namespace

/// A client that publishes too fast is not read until it may go on: nothing of it is lost, nobody else waits for it.
bool Hub::Core::in_pace(Connection& from, std::size_t bytes, const Moment& moment) {
    if (from.peer.internal) return true;  // a bridge: its acknowledgements would wait behind its messages
    const Limits& limits = options_.limits;
    auto& made = sessions_[from.session].pace;
    if (!made) made = std::make_unique<Pace>();
    Pace& pace = *made;
    const auto message_cost = limits.message_rate == 0 ? std::chrono::nanoseconds(0) : TokenBucket::cost(1, limits.message_rate);
    const auto byte_cost = limits.byte_rate == 0 ? std::chrono::nanoseconds(0) : TokenBucket::cost(bytes, limits.byte_rate);
    base::Monotonic ready = moment.now;
    if (limits.message_rate != 0) ready = std::max(ready, pace.messages.ready_at(message_cost));
    if (limits.byte_rate != 0) ready = std::max(ready, pace.bytes.ready_at(byte_cost));
    if (ready <= moment.now) {
        if (limits.message_rate != 0) pace.messages.take(message_cost, moment.now);
        if (limits.byte_rate != 0) pace.bytes.take(byte_cost, moment.now);
        return true;
    }
    port_.hold_input(from.id, true);             // again, where something else has let it go meanwhile
    if (pace.held_until == ready) return false;  // its timer runs
    pace.held_until = ready;
    ++counters_.clients_throttled;
    counters_.throttled_ms += static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(ready - moment.now).count());
    push_timer({.at = ready, .identity = from.id.value(), .index = static_cast<std::uint32_t>(from.id.value()), .kind = Timer::Kind::pace});
    return false;
}

/// Its session's pace; nullptr: it has none.
const Pace* Hub::Core::pace(const Connection& connection) const {
    return connection.session == kNoSession ? nullptr : sessions_[connection.session].pace.get();
}

void Hub::Core::on_pace_timer(Connection& connection) { port_.hold_input(connection.id, false); }

/// What was taken at other rates says nothing about these: every client begins anew, and who was held back is asked again.
void Hub::Core::begin_paces_anew() {
    held_ = turn_;  // who was held back could not tell that it is alive
    for (const Connection& connection : connections_) {
        const Pace* one = connection.state == Connection::State::running ? pace(connection) : nullptr;
        if (one != nullptr && one->held_until != base::Monotonic{}) port_.hold_input(connection.id, false);
    }
    sessions_.for_each([](Session& session) { session.pace.reset(); });
    parted_ = {};
}

/// Other shards have still to read, or the disk to take, what such packets made for them: what everybody publishes would wait behind more.
bool Hub::Core::others_behind() const { return links_.behind() || recorder_.behind(); }

/// May a packet that can take long be handled now? Not past those who wait for their turn.
bool Hub::Core::has_time(const Connection& from, std::uint8_t first) const {
    const auto type = static_cast<PacketType>(first >> 4);
    const bool long_one = type == PacketType::connect || type == PacketType::subscribe || type == PacketType::unsubscribe ||
                          (type == PacketType::publish && (first & 1U) != 0);  // retained
    if (!long_one || !work_.limited()) return true;
    return work_.left() && !others_behind() && (line_.empty() || from.turn == Connection::Turn::come);
}

void Hub::Core::wait_for_turn(Connection& from) {
    port_.hold_input(from.id, true);
    if (std::exchange(from.turn, Connection::Turn::waiting) != Connection::Turn::waiting) line_.push_back(from.id);
}

/// A publisher whose messages are for very many: what they make must leave before more of it is made.
void Hub::Core::wait_for_output(const Connection& from) {
    port_.hold_input(from.id, true);
    full_.push_back(from.id);
}

/// As many as a turn has shares.
void Hub::Core::let_next_come() {
    if (others_behind()) return;
    for (std::size_t places = TurnWork::kShares; places != 0 && !line_.empty();) {
        Connection* next = find(line_.pop_front());
        if (next == nullptr) continue;
        next->turn = Connection::Turn::come;
        port_.hold_input(next->id, false);
        --places;
    }
}

/// Messages and what sessions hold beside them are counted by who has them.
std::size_t Hub::Core::structure_bytes() const {
    return sessions_.memory() + connections_.capacity() * sizeof(Connection) + timers_.memory() + acks_.memory() + will_bytes_ +
           subscriptions_.memory() + counters_.subscriptions * kSubscriptionBytes + filters_pending_ * kFilterPendingBytes +
           retained_.memory() + deliverer_.memory();
}

bool Hub::Core::affords(std::size_t bytes, MemoryGuard::Mark mark) {
    if (options_.limits.memory_bytes_max == 0) return true;
    memory_.count_structures(structure_bytes());
    return memory_.allows(bytes, mark);
}

/// New and larger ones only: a sensor that goes on retaining its readings is not in the way.
bool Hub::Core::affords_retained(const Passing& passing) {
    if (options_.limits.memory_bytes_max == 0) return true;
    const std::size_t size = passing.topic.size() + passing.properties.size() + passing.payload.size();
    return affords(size + retained_.growth(std::min(count_levels(passing.topic), kLevelsMax)), MemoryGuard::Mark::structures);
}

}  // namespace sluice::hub
