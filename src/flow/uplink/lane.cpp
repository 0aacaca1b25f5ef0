#include "flow/uplink/lane.hpp"

#include "base/check.hpp"

namespace sluice::uplink {

void BatchFiller::begin_at(data::Sequence sequence) {
    if (!begun_) {
        encoder_.begin(class_name_, sequence);
        first_ = sequence;
        begun_ = true;
    }
    base::check(encoder_.end() == sequence, "uplink: the spool left a hole between two items");
}

void BatchFiller::event(data::Sequence sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) {
    begin_at(sequence);
    base::check(encoder_.add_event(rule, ts_ms, json), "uplink: the spool read more than a batch holds");
    ++events_;
}

void BatchFiller::gap(data::Sequence first, data::Sequence last, base::DropReason reason) {
    base::check(first <= last, "uplink: an empty gap");
    begin_at(first);
    base::check(encoder_.add_gap(last.value() - first.value() + 1, base::name(reason)), "uplink: the spool read more than a batch holds");
}

}  // namespace sluice::uplink
