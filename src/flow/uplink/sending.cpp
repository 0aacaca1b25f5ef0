// What to send next: the most urgent class first, others within the window and the rate.
#include <algorithm>

#include "base/check.hpp"
#include "flow/uplink/machine.hpp"

namespace sluice::uplink {

using base::Monotonic;

namespace {

/// Lower classes travel many in a message: this long a first event waits for others. Their consumers look at minutes.
constexpr std::chrono::milliseconds kCompany{250};
/// Our own word for a message that the cloud has said beforehand it would not take: MQTT's reason code, "packet too large".
constexpr std::uint16_t kTooLarge = 0x95;
/// A class on trial lets others go first for so long, if there are any: they show that the line is good.
constexpr std::chrono::seconds kOthersFirst{1};
/// After the spool could not be read.
constexpr std::chrono::seconds kSourceRetry{1};

}  // namespace

void Uplink::Machine::pump(Monotonic now) {
    wake_.reset();
    if (now >= status_due_) {
        if (!status_in_flight_) send_status(true, now);
        status_due_ = now + options_.status_interval;
    }
    while (!over_ && pump_lanes(now)) {
    }
    stats_.window_bytes = window_.bytes();
    stats_.in_flight = in_flight_.size();
    flush();
    if (over_) lose(now, *over_);
}

/// Sends one message of the most urgent lane that has something due. False: nothing more can go now.
bool Uplink::Machine::pump_lanes(Monotonic now) {
    if (!in_flight_.empty() && in_flight_.back().on_trial) return false;  // nothing follows before it is answered
    for (std::size_t turn = 0; turn < order_.size(); ++turn) {
        auto& lane = lanes_[order_[turn]];
        if (source_.readable_end(lane.index) <= lane.next) {
            lane.waiting.reset();
            lane.more = false;
            continue;
        }
        if (lane.trial.on_trial()) {
            const TrialTurn what = trial_turn(lane, now);
            if (what == TrialTurn::others) continue;
            if (what == TrialTurn::wait || !may_go(lane, now)) return false;
            if (send_from(order_[turn], now)) return true;
            continue;
        }
        if (!lane.waiting) lane.waiting = now;
        if (lane.retry && now < *lane.retry) {
            wake_by(*lane.retry);
            continue;
        }
        if (!has_company(lane, now)) {
            wake_by(*lane.waiting + kCompany);
            continue;
        }
        // What holds this lane back holds the less urgent ones back too: nobody overtakes.
        if (!may_go(lane, now)) return false;
        if (!send_from(order_[turn], now)) continue;
        // Equal priorities take turns: behind the last of its equals.
        auto behind = turn + 1;
        while (behind < order_.size() && lanes_[order_[behind]].priority == lane.priority) ++behind;
        const auto begin = order_.begin();
        std::rotate(begin + static_cast<std::ptrdiff_t>(turn), begin + static_cast<std::ptrdiff_t>(turn) + 1,
                    begin + static_cast<std::ptrdiff_t>(behind));
        return true;
    }
    return false;
}

/// A slot, and the rates.
bool Uplink::Machine::may_go(const Lane& lane, Monotonic now) {
    if (slots_free(lane) == 0) return false;
    const auto wanted = lane.top ? 1 : std::min({waiting_events(lane), batch_items_max_, bucket_.batch_max()});
    const auto at = std::max(
        {bucket_.ready_at(wanted, lane.top, now), message_bucket_.ready_at(1, lane.top, now), byte_bucket_.ready_at(1, lane.top, now)});
    if (at > now) wake_by(at);
    return at <= now;
}

/// A class on trial goes when something else has gone through, a status at least: one message of a less urgent class if there is no status.
/// What is on its way then is answered before it: nothing but the message itself can be the oldest without an answer when the line ends.
Uplink::Machine::TrialTurn Uplink::Machine::trial_turn(Lane& lane, Monotonic now) {
    if (const auto until = lane.trial.stands_until()) {
        if (now < *until) {
            wake_by(*until);
            return TrialTurn::others;
        }
        lane.trial.try_again();
    }
    if (lane.retry && now < *lane.retry) {
        wake_by(*lane.retry);
        return TrialTurn::others;
    }
    if (witness_) return TrialTurn::go;
    if (!in_flight_.empty()) return TrialTurn::wait;  // its answer says that the line is good
    if (now - connected_at_ >= kOthersFirst) return TrialTurn::go;
    wake_by(connected_at_ + kOthersFirst);
    return TrialTurn::others;
}

std::size_t Uplink::Machine::waiting_events(const Lane& lane) const { return source_.readable_end(lane.index).value() - lane.next.value(); }

bool Uplink::Machine::has_company(const Lane& lane, Monotonic now) const {
    return lane.top || lane.more || now - *lane.waiting >= kCompany || waiting_events(lane) >= batch_items_max_;
}

std::size_t Uplink::Machine::slots_free(const Lane& lane) const {
    const std::size_t batches = in_flight_.size() - (status_in_flight_ ? 1 : 0);
    const std::size_t free =
        std::min<std::size_t>(carrier_.window_free(), options_.in_flight - std::min<std::size_t>(batches, options_.in_flight));
    if (lane.top) return free;
    const std::size_t lower_max = options_.in_flight - std::max(1U, options_.in_flight / 4);
    if (lower_bytes_ >= window_.bytes() || lower_messages_ >= lower_max) return 0;
    return std::min(free, lower_max - lower_messages_);
}

/// One message. False: this lane has to wait (the spool could not be read), others may go.
bool Uplink::Machine::send_from(std::size_t index, Monotonic now) {
    auto& lane = lanes_[index];
    auto events_max = std::min({batch_items_max_, bucket_.available(lane.top, now), bucket_.batch_max()});
    if (lane.trial.on_trial()) events_max = std::min(events_max, lane.trial.events_max());
    // JSON shrinks to a fraction in a message, so a batch of a window's size keeps well within it.
    const auto bytes_max = lane.top ? lane.batch.bytes() : std::min(lane.batch.bytes(), window_.bytes());
    BatchFiller filler(*dialect_, lane.name);
    const auto read = source_.read(lane.index, lane.next, {.events = events_max, .bytes = bytes_max}, filler);
    if (!read || filler.empty()) {
        if (!read) ++stats_.source_errors;
        if (read && read->next > lane.next) {  // everything there was has been acknowledged meanwhile
            lane.next = read->next;
            return true;
        }
        lane.retry = now + kSourceRetry;
        wake_by(*lane.retry);
        return false;
    }
    lane.retry.reset();
    base::check(filler.first() >= lane.next, "uplink: the spool went back");
    publish_batch(index, filler, read->epoch, now);
    return true;
}

void Uplink::Machine::publish_batch(std::size_t index, const BatchFiller& filled, data::Epoch epoch, Monotonic now) {
    auto& lane = lanes_[index];
    const auto last = filled.last();
    const std::size_t filled_bytes = dialect_->bytes();
    const Outgoing outgoing = dialect_->finish(epoch);
    const std::size_t bytes = outgoing.payload.size();
    const auto id = carrier_.send(outgoing, now);
    if (!id) return not_sent(lane, filled, filled_bytes, outgoing, id.error().code);
    if (lane.batch.is_cut() && !lane.batch.is_roomy_for(filled_bytes)) {
        const MessageSize size = carrier_.size_of(outgoing);
        if (size.bytes <= size.bytes_max / 2) lane.batch.grow();  // would still fit
    }
    if (in_flight_.empty()) progress_ = now;
    const bool more = source_.readable_end(lane.index).value() > last.value() + 1;
    in_flight_.push_back({.id = *id,
                          .lane = index,
                          .first = filled.first(),
                          .last = last,
                          .items = filled.items(),
                          .events = filled.events(),
                          .bytes = bytes,
                          .filled = filled_bytes,
                          .at = now,
                          .limited = false,
                          .on_trial = lane.trial.on_trial(),
                          .witnessed = witness_});
    if (!lane.top) {
        lower_bytes_ += bytes;
        ++lower_messages_;
        in_flight_.back().limited = more && lower_bytes_ * 2 > window_.bytes();
    }
    bucket_.take(filled.events());
    message_bucket_.take(1);
    byte_bucket_.take(bytes);
    ++stats_.messages_sent;
    stats_.events_sent += filled.events();
    lane.next = last.next();
    // A batch that ended because it was full has company already waiting; else the next one gathers anew.
    lane.more = more;
    lane.waiting.reset();
}

/// Cut until it fits. One event that does not fit never will: the cloud has said so.
void Uplink::Machine::not_sent(Lane& lane, const BatchFiller& filled, std::size_t filled_bytes, const Outgoing& message, base::Errc why) {
    if (why == base::Errc::too_large && filled.items() > 1) {
        lane.batch.cut(filled_bytes);
        return;
    }
    if (why == base::Errc::too_large && filled.events() == 1) {
        drop_too_large(lane, filled.first(), carrier_.size_of(message));
        return lane.batch.restore();  // what led up to it, messages that had it in them, says nothing about the others
    }
    Over over{.trouble = Trouble::not_taken};
    if (why == base::Errc::too_large) over.refusal = kTooLarge;
    on_over(over);
}

void Uplink::Machine::send_status(bool online, Monotonic now) {
    const auto outgoing = dialect_->status(online, status_);
    if (!outgoing) return;
    const std::size_t bytes = outgoing->payload.size();
    const auto id = carrier_.send(*outgoing, now);
    if (!id) return;  // no room now: the next one has newer figures anyway
    if (in_flight_.empty()) progress_ = now;
    status_in_flight_ = true;
    in_flight_.push_back({.id = *id,
                          .lane = kStatusLane,
                          .first = {},
                          .last = {},
                          .items = 1,
                          .events = 0,
                          .bytes = bytes,
                          .filled = 0,
                          .at = now,
                          .limited = false,
                          .on_trial = false,
                          .witnessed = false});
}

void Uplink::Machine::wake_by(Monotonic at) {
    if (!wake_ || at < *wake_) wake_ = at;
}

}  // namespace sluice::uplink
