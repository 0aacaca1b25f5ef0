// The spool as the uplink sees it: joins flow/spool and flow/uplink, which do not know each other.
#pragma once

#include "flow/spool/spool.hpp"
#include "flow/uplink/ports.hpp"

namespace sluice::gateway {

/// Owned by the backbone's thread.
class SpoolSource final : public uplink::EventSource {
public:
    explicit SpoolSource(spool::Spool& spool) : spool_(spool) {}
    [[nodiscard]] data::Sequence first_unacknowledged(data::ClassIndex event_class) const override {
        return spool_.first_waiting(event_class);
    }
    [[nodiscard]] data::Sequence readable_end(data::ClassIndex event_class) const override { return spool_.durable_end(event_class); }
    base::Result<Read> read(data::ClassIndex event_class, data::Sequence from, uplink::ReadLimits limits,
                            uplink::EventVisitor& visitor) override;
    void acknowledge(data::ClassIndex event_class, data::Sequence up_to) override { spool_.acknowledge(event_class, up_to); }

private:
    spool::Spool& spool_;
};

}  // namespace sluice::gateway
