#include "gateway/spool_source.hpp"

namespace sluice::gateway {
namespace {

class Relay final : public spool::EventVisitor {
public:
    explicit Relay(uplink::EventVisitor& to) : to_(to) {}
    void on_event(data::Sequence sequence, const data::Event& event) override {
        to_.event(sequence, event.rule, base::to_ms(event.made), event.json);
    }

private:
    uplink::EventVisitor& to_;
};

}  // namespace

base::Result<SpoolSource::Read> SpoolSource::read(data::ClassIndex event_class, data::Sequence from, uplink::ReadLimits limits,
                                                  uplink::EventVisitor& visitor) {
    Relay relay(visitor);
    const auto found = spool_.read(event_class, from, {.events = limits.events, .bytes = limits.bytes}, relay);
    if (!found) return found.error();
    if (found->gap) visitor.gap(found->gap->first, found->gap->last, found->gap->reason);
    return Read{spool_.epoch(), found->next};
}

}  // namespace sluice::gateway
