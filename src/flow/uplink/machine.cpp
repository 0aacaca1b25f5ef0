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
/// A connection that ends within this time after a message was sent may have ended because of it.
constexpr std::chrono::seconds kRightAfter{10};

}  // namespace

Uplink::Machine::Machine(Options options, std::unique_ptr<Dialect> dialect, Carrier& carrier, EventSource& source, StatusSource& status,
                         env::Entropy& entropy)
    : options_(std::move(options)),
      dialect_(std::move(dialect)),
      carrier_(carrier),
      source_(source),
      status_(status),
      entropy_(entropy),
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
        lane.batch = BatchSize(std::min(options_.batch_bytes_max, dialect_->fill_bytes_max()));
        lanes_.push_back(std::move(lane));
    }
    std::stable_sort(lanes_.begin(), lanes_.end(), [](const Lane& a, const Lane& b) { return a.priority < b.priority; });
    for (auto& lane : lanes_) {
        lane.top = lane.priority == lanes_.front().priority;
        order_.push_back(order_.size());
    }
    carrier_.join(*this);
}

void Uplink::Machine::start(Monotonic now) {
    if (phase_ != Phase::stopped) return;
    back_off_.reset();
    open(now);
}

void Uplink::Machine::stop(Monotonic now) {
    if (phase_ == Phase::stopped) return;
    if (phase_ == Phase::connected) {
        send_status(false, now);
        carrier_.farewell();
        flush();
    }
    carrier_.close(true);
    flush();
    in_flight_.clear();
    phase_ = Phase::stopped;
    stats_.connected = false;
    stats_.in_flight = 0;
}

void Uplink::Machine::open(Monotonic now) {
    phase_ = Phase::opening;
    due_ = now + options_.connect_timeout;
    over_.reset();
    carrier_.open(now);
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
            if (now >= due_) return lose(now, {.trouble = carrier_.reached() ? Trouble::no_answer : Trouble::unreachable});
            break;
        case Phase::connected:
            if (!in_flight_.empty() && now >= stall_at()) {
                ++stats_.stalls;
                ++stalls_in_a_row_;
                window_.on_stall();
                return lose(now, {.trouble = Trouble::stalled});
            }
            break;
    }
    carrier_.on_tick(now);
    settle(now);
}

std::optional<Monotonic> Uplink::Machine::next_deadline() const {
    if (phase_ == Phase::stopped) return std::nullopt;
    auto next = due_;
    if (phase_ == Phase::connected) {
        next = status_due_;
        if (!in_flight_.empty()) next = std::min(next, stall_at());
        if (wake_) next = std::min(next, *wake_);
    }
    if (phase_ == Phase::pausing) return next;
    if (const auto at = carrier_.next_deadline()) next = std::min(next, *at);
    return next;
}

/// Acts on what the carrier has told, then sends what there is to send.
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
    carrier_.flush();
    stats_.bytes_up = carrier_.bytes_up();
    stats_.bytes_down = carrier_.bytes_down();
}

/// What was in flight is sent again on the next connection, from the first position that the cloud has not acknowledged.
void Uplink::Machine::lose(Monotonic now, Over how) {
    carrier_.close(false);
    over_.reset();
    blame(how, now);
    refused_.reset();
    dealt_with_ = false;
    in_flight_.clear();
    status_in_flight_ = false;
    lower_bytes_ = 0;
    lower_messages_ = 0;
    if (how.trouble != Trouble::none) ++stats_.failures;
    stats_.connected = false;
    stats_.trouble = how.trouble;
    stats_.in_flight = 0;
    if (how.trouble != Trouble::none) witness_ = false;  // servers that end each connection have it from the last one
    const bool planned = how.trouble == Trouble::none && how.at_once;
    if (how.at_once) back_off_.reset();
    // Who comes back at once throws the other one out before anything of either is acknowledged.
    if (how.taken_over) back_off_.longest();
    std::array<base::Byte, 8> random{};
    entropy_.fill(random);
    phase_ = Phase::pausing;
    due_ = planned ? now : now + back_off_.next(base::load_le<std::uint64_t>(random.data()));
    if (how.pause) due_ = std::max(due_, now + *how.pause);
}

Monotonic Uplink::Machine::stall_at() const {
    return progress_ + options_.ack_timeout * (1 << std::min(stalls_in_a_row_, kStallDoublingsMax));
}

void Uplink::Machine::on_ready(Monotonic now) {
    if (phase_ != Phase::opening) return;
    phase_ = Phase::connected;
    stats_.connected = true;
    stats_.trouble = Trouble::none;
    ++stats_.connections;
    window_.on_connected();
    status_due_ = now;
    connected_at_ = now;
    wake_.reset();
    for (auto& lane : lanes_) {
        lane.next = source_.first_unacknowledged(lane.index);
        lane.waiting.reset();
        lane.retry.reset();
        lane.more = true;  // the backlog goes at once
    }
}

void Uplink::Machine::on_taken(Ticket ticket, Monotonic now) {
    const auto sent = std::find_if(in_flight_.begin(), in_flight_.end(), [&](const Sent& row) { return row.id == ticket && !row.acked; });
    if (sent == in_flight_.end() || over_) return;
    back_off_.reset();  // not when it lets us in: a cloud that welcomes but stores nothing must not be hammered
    stalls_in_a_row_ = 0;
    progress_ = now;
    witness_ = true;
    sent->acked = true;
    if (sent->lane == kStatusLane) {
        status_in_flight_ = false;
    } else {
        window_.on_ack(sent->bytes, now - sent->at, sent->limited, now);
        if (!lanes_[sent->lane].top) {
            lower_bytes_ -= sent->bytes;
            --lower_messages_;
        }
        if (carrier_.survives_too_large()) lanes_[sent->lane].batch.on_taken(sent->filled);
    }
    forget_acked();
}

/// Taken by nobody: everything is kept, and sent again later; but for an event of which the cloud has said that it alone is too large.
void Uplink::Machine::on_refused(Ticket ticket, std::uint16_t code, Refusal why) {
    const auto sent = std::find_if(in_flight_.begin(), in_flight_.end(), [&](const Sent& row) { return row.id == ticket && !row.acked; });
    if (sent == in_flight_.end()) return;
    refused_ = ticket;
    if (why != Refusal::other && sent->lane != kStatusLane) dealt_with_ = heed_size(*sent, why);
    if (!dealt_with_ || over_ || !carrier_.survives_too_large())
        return on_over({.trouble = Trouble::not_taken, .refusal = code, .at_once = dealt_with_});
    base::check(sent + 1 == in_flight_.end(), "uplink: something is on its way behind a message that was refused");
    note_refusal(code);
    send_again(static_cast<std::size_t>(sent - in_flight_.begin()));
}

/// A message was too large: what takes its place is smaller. False: nothing can be.
bool Uplink::Machine::heed_size(const Sent& sent, Refusal why) {
    Lane& lane = lanes_[sent.lane];
    const bool survives = carrier_.survives_too_large();
    // What is as large as before must not come again at once.
    if (sent.items > 1) return lane.batch.cut(sent.filled) || !survives;
    if (why == Refusal::too_large_together) return true;
    if (sent.events != 1) return false;
    drop_too_large(lane, sent.first, {.bytes = sent.bytes});
    // Messages that had it in them say nothing about the others. Where there is one such event there may be more, though, and each would be
    // found by halving anew: a size that grows by itself grows slowly.
    if (!survives) lane.batch.restore();
    return true;
}

/// The connection goes on, from the first number of the message.
void Uplink::Machine::send_again(std::size_t at) {
    const Sent& sent = in_flight_[at];
    Lane& lane = lanes_[sent.lane];
    lane.next = sent.first;
    lane.more = true;
    if (!lane.top) {
        lower_bytes_ -= sent.bytes;
        --lower_messages_;
    }
    in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(at));
    refused_.reset();
    dealt_with_ = false;
}

/// The cloud has said that it never takes this one: the next thing to be sent is the gap in its place.
void Uplink::Machine::drop_too_large(Lane& lane, data::Sequence sequence, MessageSize size) {
    source_.drop(lane.index, sequence, base::DropReason::too_large);
    ++stats_.too_large;
    stats_.last_too_large = {lane.name, sequence, size};
}

/// Which class the connection may have ended for: that of the oldest message without an answer (a broker answers in order), if it was sent
/// just now, or of the one that was refused.
void Uplink::Machine::blame(const Over& how, Monotonic now) {
    if (phase_ != Phase::connected || how.taken_over || how.passing || dealt_with_) return;
    if (how.trouble != Trouble::closed && how.trouble != Trouble::not_taken && !how.of_message) return;
    const auto suspected = [&](const Sent& row) {
        if (row.lane == kStatusLane || row.acked) return false;
        return !refused_ || row.id == *refused_;
    };
    const auto sent = std::find_if(in_flight_.begin(), in_flight_.end(), suspected);
    if (sent == in_flight_.end() || (!refused_ && now - sent->at > kRightAfter)) return;
    lanes_[sent->lane].trial.on_end({.first = sent->first,
                                     .last = sent->last,
                                     .events = sent->events,
                                     .bytes = sent->bytes,
                                     .witnessed = sent->on_trial && sent->witnessed},
                                    now);
    show_standing();
}

void Uplink::Machine::show_standing() {
    stats_.standing.clear();
    for (const Lane& lane : lanes_) {
        if (const auto guilty = lane.trial.guilty()) stats_.standing.push_back({lane.name, guilty->sequence, {.bytes = guilty->bytes}});
    }
}

void Uplink::Machine::on_over(const Over& how) {
    if (how.refusal) note_refusal(*how.refusal);
    if (!over_) over_ = how;
}

void Uplink::Machine::note_refusal(std::uint16_t code) {
    ++stats_.refusals;
    stats_.refusal = code;
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
        lanes_[row->lane].trial.on_acknowledged(row->last.next());
        stats_.events_acked += row->events;
        row = in_flight_.erase(row);
    }
    stats_.in_flight = in_flight_.size();
    if (!stats_.standing.empty()) show_standing();
}

}  // namespace sluice::uplink
