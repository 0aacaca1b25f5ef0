#include "flow/uplink/lane.hpp"

#include "base/check.hpp"

namespace sluice::uplink {

void BatchFiller::begin_at(data::Sequence sequence) {
    if (!begun_) {
        dialect_.begin(class_name_, sequence);
        first_ = end_ = sequence;
        begun_ = true;
    }
    base::check(end_ == sequence, "uplink: the spool left a hole between two items");
}

void BatchFiller::event(data::Sequence sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) {
    begin_at(sequence);
    base::check(dialect_.add_event(sequence, rule, ts_ms, json), "uplink: the spool read more than a message holds");
    end_ = sequence.next();
    ++items_;
    ++events_;
}

void BatchFiller::gap(data::Sequence first, data::Sequence last, base::DropReason reason) {
    base::check(first <= last, "uplink: an empty gap");
    begin_at(first);
    base::check(dialect_.add_gap(first, last, reason), "uplink: the spool read more than a message holds");
    ++items_;
    end_ = last.next();
}

}  // namespace sluice::uplink
