// Phases of the connection: pausing, opening, greeting, connected, and how each one ends.
#include "flow/uplink/machine.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"

namespace sluice::uplink {

using base::Monotonic;

namespace {

/// After so many stalls in a row the patience no longer grows: 8 times ack_timeout, for one large batch over a very slow link.
constexpr unsigned kStallDoublingsMax = 3;

std::span<const mqtt::VersionChoice::Attempt> attempts(Protocol protocol) {
    using Attempt = mqtt::VersionChoice::Attempt;
    static constexpr std::array kAll{Attempt{.version = mqtt::Version::v5}, Attempt{.version = mqtt::Version::v311}};
    const std::span<const Attempt> all(kAll);
    return protocol == Protocol::v5 ? all.first(1) : protocol == Protocol::v311 ? all.last(1) : all;
}

}  // namespace

Uplink::Machine::Machine(Options options, std::unique_ptr<Dialect> dialect, EventSource& source, StatusSource& status, Transport& transport,
                         env::Entropy& entropy)
    : options_(std::move(options)),
      dialect_(std::move(dialect)),
      source_(source),
      status_(status),
      transport_(transport),
      entropy_(entropy),
      versions_(attempts(options_.protocol)),
      batch_items_max_(std::min<std::size_t>(options_.batch_events_max, dialect_->items_max())),
      window_(options_.queue_target),
      bucket_(options_.drain_rate),
      message_bucket_(options_.message_rate),
      byte_bucket_(options_.byte_rate),
      back_off_(options_.retry_min, options_.retry_max) {
    base::check(!options_.classes.empty() && options_.classes.size() <= data::kClassesMax, "uplink: number of classes");
    base::check(options_.in_flight >= 2 && options_.in_flight <= 1024, "uplink: in_flight");
    base::check(batch_items_max_ >= 1 && options_.batch_bytes_max >= 1, "uplink: batch limits");
    for (const auto& row : options_.classes) {
        base::check(!row.name.empty() && row.name.size() <= 64, "uplink: class name's length");
        Lane lane;
        lane.index = row.index;
        lane.name = row.name;
        lane.priority = row.priority;
        lane.batch_bytes = std::min(options_.batch_bytes_max, dialect_->fill_bytes_max());
        lanes_.push_back(std::move(lane));
    }
    std::stable_sort(lanes_.begin(), lanes_.end(), [](const Lane& a, const Lane& b) { return a.priority < b.priority; });
    for (auto& lane : lanes_) {
        lane.top = lane.priority == lanes_.front().priority;
        order_.push_back(order_.size());
    }
}

void Uplink::Machine::start(Monotonic now) {
    if (phase_ != Phase::stopped) return;
    back_off_.reset();
    open(now);
}

void Uplink::Machine::stop(Monotonic now) {
    if (phase_ == Phase::connected) {
        send_status(false, now);
        session_.disconnect(out_);
        flush();
    }
    if (phase_ != Phase::stopped && phase_ != Phase::pausing) transport_.close(true);
    session_.on_lost();
    in_flight_.clear();
    phase_ = Phase::stopped;
    stats_.connected = false;
    stats_.in_flight = 0;
}

void Uplink::Machine::open(Monotonic now) {
    phase_ = Phase::opening;
    due_ = now + options_.connect_timeout;
    transport_.open();
}

void Uplink::Machine::on_connected(Monotonic now) {
    if (phase_ != Phase::opening) return;
    begin_session(now);
}

void Uplink::Machine::begin_session(Monotonic now) {
    phase_ = Phase::greeting;  // due_ stays: it bounds the whole way to CONNACK
    over_.reset();
    out_.clear();
    mqtt::ClientSession::Options connect;
    dialect_->greet(connect);
    connect.version = versions_.current().version;
    connect.keep_alive = std::chrono::duration_cast<std::chrono::seconds>(options_.keep_alive);
    connect.answer_timeout = std::max(std::chrono::seconds(1), std::chrono::duration_cast<std::chrono::seconds>(options_.ack_timeout));
    connect.in_flight_max = static_cast<std::uint16_t>(options_.in_flight + 1);  // one more: a status never waits for batches
    session_.connect(connect, now, out_);
    flush();
}

std::size_t Uplink::Machine::on_bytes(base::ByteView bytes, Monotonic now) {
    if (phase_ != Phase::greeting && phase_ != Phase::connected) return bytes.size();
    now_ = now;
    const auto used = session_.on_bytes(bytes, now, out_, *this);
    stats_.bytes_down += used;
    settle(now);
    return used;
}

void Uplink::Machine::on_closed(Monotonic now) {
    if (phase_ == Phase::stopped || phase_ == Phase::pausing) return;
    if (phase_ == Phase::greeting) versions_.hung_up();
    lose(now, phase_ == Phase::opening ? Trouble::unreachable : Trouble::closed, false);
}

void Uplink::Machine::on_events(Monotonic now) {
    if (phase_ == Phase::connected) pump(now);
}

void Uplink::Machine::on_tick(Monotonic now) {
    switch (phase_) {
        case Phase::stopped:
            return;
        case Phase::pausing:
            if (now >= due_) open(now);
            return;
        case Phase::opening:
            if (now >= due_) lose(now, Trouble::unreachable);
            return;
        case Phase::greeting:
            if (now >= due_) return lose(now, Trouble::no_answer);
            break;
        case Phase::connected:
            if (!in_flight_.empty() && now >= stall_at()) {
                ++stats_.stalls;
                ++stalls_in_a_row_;
                window_.on_stall();
                return lose(now, Trouble::stalled);
            }
            break;
    }
    now_ = now;
    if (const auto at = session_.next_deadline(); at && now >= *at) session_.on_tick(now, out_, *this);
    settle(now);
}

std::optional<Monotonic> Uplink::Machine::next_deadline() const {
    if (phase_ == Phase::stopped) return std::nullopt;
    if (phase_ != Phase::connected) return due_;
    auto next = status_due_;
    if (!in_flight_.empty()) next = std::min(next, stall_at());
    if (wake_) next = std::min(next, *wake_);
    if (const auto at = session_.next_deadline()) next = std::min(next, *at);
    return next;
}

/// Acts on what the session has noted, then sends what there is to send.
void Uplink::Machine::settle(Monotonic now) {
    if (over_) {
        flush();
        return lose(now, *over_);
    }
    if (phase_ == Phase::connected) {
        pump(now);
    } else {
        flush();
    }
}

void Uplink::Machine::flush() {
    if (out_.empty()) return;
    stats_.bytes_up += out_.size();
    transport_.send(out_);
    out_.clear();
}

/// What was in flight is sent again on the next connection, from the first position that the cloud has not acknowledged.
void Uplink::Machine::lose(Monotonic now, Trouble trouble, bool close_transport) {
    if (close_transport) transport_.close(false);
    if (phase_ != Phase::greeting) versions_.begin_again();  // a broker that is another one now may know more
    session_.on_lost();
    in_flight_.clear();
    out_.clear();
    over_.reset();
    status_in_flight_ = false;
    lower_bytes_ = 0;
    lower_messages_ = 0;
    ++stats_.failures;
    stats_.connected = false;
    stats_.trouble = trouble;
    stats_.in_flight = 0;
    std::array<base::Byte, 8> random{};
    entropy_.fill(random);
    phase_ = Phase::pausing;
    due_ = now + back_off_.next(base::load_le<std::uint64_t>(random.data()));
}

Monotonic Uplink::Machine::stall_at() const {
    return progress_ + options_.ack_timeout * (1 << std::min(stalls_in_a_row_, kStallDoublingsMax));
}

void Uplink::Machine::on_connected(const mqtt::Connack& connack) {
    (void)connack;  // its limits are kept by the session; a refusal comes as on_closed()
    const mqtt::Version version = versions_.current().version;
    if (!versions_.answered()) {  // the best version once more
        back_off_.reset();
        return note(Trouble::closed);
    }
    phase_ = Phase::connected;
    stats_.connected = true;
    stats_.trouble = Trouble::none;
    stats_.version = version;
    ++stats_.connections;
    window_.on_connected();
    status_due_ = now_;
    wake_.reset();
    for (auto& lane : lanes_) {
        lane.next = source_.first_unacknowledged(lane.index);
        lane.waiting.reset();
        lane.retry.reset();
        lane.more = true;  // the backlog goes at once
    }
}

void Uplink::Machine::on_message(const mqtt::Publish& message) {
    (void)message;  // nothing is subscribed to; a cloud that publishes all the same is not listened to
}

void Uplink::Machine::on_acked(mqtt::PacketId id, base::ByteView codes) {
    const auto sent = std::find_if(in_flight_.begin(), in_flight_.end(), [id](const Sent& row) { return row.id == id && !row.acked; });
    if (sent == in_flight_.end()) return;
    if (!codes.empty() && codes[0] >= 0x80) {  // taken by nobody: keep everything, and come back later
        ++stats_.refusals;
        stats_.refusal = codes[0];
        return note(Trouble::not_taken);
    }
    if (over_) return;
    back_off_.reset();  // not at CONNACK: a cloud that welcomes but stores nothing must not be hammered
    stalls_in_a_row_ = 0;
    progress_ = now_;
    sent->acked = true;
    if (sent->lane == kStatusLane) {
        status_in_flight_ = false;
    } else {
        window_.on_ack(sent->bytes, now_ - sent->at, sent->limited, now_);
        if (!lanes_[sent->lane].top) {
            lower_bytes_ -= sent->bytes;
            --lower_messages_;
        }
    }
    forget_acked();
}

/// Positions move with the oldest message of a lane, so that an answer out of order never acknowledges what is still on its way.
void Uplink::Machine::forget_acked() {
    std::array<bool, data::kClassesMax> blocked{};
    for (auto row = in_flight_.begin(); row != in_flight_.end();) {
        if (row->lane == kStatusLane) {
            row = row->acked ? in_flight_.erase(row) : row + 1;
            continue;
        }
        if (!row->acked || blocked[row->lane]) {
            blocked[row->lane] = true;
            ++row;
            continue;
        }
        source_.acknowledge(lanes_[row->lane].index, row->last);
        stats_.events_acked += row->events;
        row = in_flight_.erase(row);
    }
    stats_.in_flight = in_flight_.size();
}

void Uplink::Machine::on_closed(mqtt::ReasonCode why) {
    const bool greeting = phase_ == Phase::greeting;
    if (greeting || static_cast<std::uint8_t>(why) >= 0x80) {
        ++stats_.refusals;
        stats_.refusal = static_cast<std::uint8_t>(why);
    }
    // Another gateway has our id. Who comes back at once throws the other one out before anything of either is acknowledged.
    if (why == mqtt::ReasonCode::session_taken_over) back_off_.longest();
    const bool version = why == mqtt::ReasonCode::unsupported_protocol_version || why == mqtt::ReasonCode::protocol_error;
    if (greeting && version && versions_.refused()) back_off_.reset();  // it is there, and was not asked for the next yet
    if (why == mqtt::ReasonCode::keep_alive_timeout)
        note(greeting ? Trouble::no_answer : Trouble::stalled);
    else
        note(greeting ? Trouble::refused : Trouble::closed);
}

void Uplink::Machine::note(Trouble trouble) {
    if (!over_) over_ = trouble;
}

}  // namespace sluice::uplink
