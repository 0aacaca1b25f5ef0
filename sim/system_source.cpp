#include "sim/system_source.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace sluice::sim {

namespace {

constexpr data::ClassIndex kAlerts(0);
/// The uplink tries a class again a second after a failed read.
constexpr std::chrono::seconds kReadRetry{1};

}  // namespace

class WatchedSource::Visitor final : public uplink::EventVisitor {
public:
    Visitor(WatchedSource& source, data::ClassIndex c, uplink::EventVisitor& to) : source_(source), class_(c), to_(to) {}
    void event(data::Sequence sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) override {
        to_.event(source_.out(class_, sequence), rule, ts_ms, json);
    }
    void gap(data::Sequence first, data::Sequence last, base::DropReason reason) override {
        source_.told_.push_back({.epoch = source_.spool_.epoch(),
                                 .event_class = class_,
                                 .first = first,
                                 .last = last,
                                 .reason = reason,
                                 .at = source_.scheduler_.now()});
        if (source_.defect_ == Defect::drop_silently) return;
        const bool old = last.value() < source_.end_at_start_[class_.value()];
        if (source_.defect_ == Defect::gaps_forgotten_at_restart && old) return;
        to_.gap(source_.out(class_, first), source_.out(class_, last), reason);
    }

private:
    WatchedSource& source_;
    data::ClassIndex class_;
    uplink::EventVisitor& to_;
};

WatchedSource::WatchedSource(spool::Spool& spool, Defect defect, const Scheduler& scheduler, std::vector<ToldGap>& told)
    : spool_(spool), inner_(spool), defect_(defect), scheduler_(scheduler), told_(told) {
    for (std::size_t i = 0; i < kClasses; ++i) {
        const data::ClassIndex c(static_cast<std::uint8_t>(i));
        if (defect == Defect::reuse_sequences) shift_[i] = inner_.first_unacknowledged(c).value() - 1;
        end_at_start_[i] = inner_.readable_end(c).value();
        read_end_[i] = inner_.first_unacknowledged(c).value();
    }
}

/// The uplink asks for this once per connection and class.
data::Sequence WatchedSource::first_unacknowledged(data::ClassIndex c) const {
    const auto first = inner_.first_unacknowledged(c);
    read_end_[c.value()] = first.value();
    const bool again = connections_[c.value()]++ != 0;
    if (defect_ == Defect::resend_skips_first && again && first < inner_.readable_end(c)) return out(c, first.next());
    return out(c, first);
}

base::Result<WatchedSource::Read> WatchedSource::read(data::ClassIndex c, data::Sequence from, uplink::ReadLimits limits,
                                                      uplink::EventVisitor& visitor) {
    check_priority(c);
    Visitor watched(*this, c, visitor);
    auto read = inner_.read(c, in(c, from), limits, watched);
    if (c == kAlerts) {
        alerts_failed_at_.reset();
        if (!read) alerts_failed_at_ = scheduler_.now();
    }
    if (!read) return read.error();
    read_end_[c.value()] = std::max(read_end_[c.value()], read->next.value());
    if (defect_ == Defect::delete_before_ack && read->next.value() > 1) spool_.acknowledge(c, data::Sequence(read->next.value() - 1));
    read->next = out(c, read->next);
    return read;
}

void WatchedSource::check_priority(data::ClassIndex c) {
    if (c == kAlerts || verdict_.broken()) return;
    if (alerts_failed_at_ && scheduler_.now() - *alerts_failed_at_ < kReadRetry) return;
    const auto unsent = inner_.readable_end(kAlerts).value();
    if (unsent <= read_end_[0]) return;
    verdict_ = {Checker::priority,
                fmt::format("class {} is sent while alerts {} to {} wait in the spool", kClassNames[c.value()], read_end_[0], unsent - 1)};
}

void WatchedSource::acknowledge(data::ClassIndex c, data::Sequence up_to) {
    auto last = in(c, up_to);
    if (defect_ == Defect::acks_beyond_oldest) last = data::Sequence(std::max(last.value() + 1, read_end_[c.value()]) - 1);
    inner_.acknowledge(c, last);
}

}  // namespace sluice::sim
