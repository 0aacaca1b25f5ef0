// The spool as the uplink sees it: joins flow/spool and flow/uplink, which do not know each other.
#pragma once

#include <string_view>

#include "flow/spool/spool.hpp"
#include "flow/uplink/ports.hpp"

namespace sluice::gateway {

/// The epoch under which the events of a further uplink travel. Its classes count from 1 in the spool's epoch, as those of `main` do: were
/// they told under that, a cloud that has had events of another uplink would take new ones for copies.
[[nodiscard]] data::Epoch epoch_of(data::Epoch spool, std::string_view uplink);

/// Of one uplink. Owned by the backbone's thread.
class SpoolSource final : public uplink::EventSource {
public:
    /// `uplink`: its name; empty: `main`.
    explicit SpoolSource(spool::Spool& spool, std::string_view uplink = {})
        : spool_(spool), epoch_(uplink.empty() ? spool.epoch() : epoch_of(spool.epoch(), uplink)) {}
    [[nodiscard]] data::Sequence first_unacknowledged(data::ClassIndex event_class) const override {
        return spool_.first_waiting(event_class);
    }
    [[nodiscard]] data::Sequence readable_end(data::ClassIndex event_class) const override { return spool_.durable_end(event_class); }
    base::Result<Read> read(data::ClassIndex event_class, data::Sequence from, uplink::ReadLimits limits,
                            uplink::EventVisitor& visitor) override;
    void acknowledge(data::ClassIndex event_class, data::Sequence up_to) override { spool_.acknowledge(event_class, up_to); }
    void drop(data::ClassIndex event_class, data::Sequence sequence, base::DropReason reason) override {
        spool_.drop(event_class, sequence, reason);
    }

private:
    spool::Spool& spool_;
    data::Epoch epoch_;
};

}  // namespace sluice::gateway
