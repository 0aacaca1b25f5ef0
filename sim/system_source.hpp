// The spool as the uplink of a simulated gateway sees it: the gateway's own adapter, watched, with the defect of the run built in.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "flow/uplink/ports.hpp"
#include "gateway/spool_source.hpp"
#include "sim/scheduler.hpp"
#include "sim/system_defect.hpp"

namespace sluice::sim {

inline constexpr std::size_t kClasses = 3;
inline constexpr std::array<const char*, kClasses> kClassNames{"alert", "aggregate", "sample"};  ///< the most important first

/// A gap that the uplink was given to tell.
struct ToldGap {
    data::Epoch epoch;
    data::ClassIndex event_class;
    data::Sequence first, last;
    base::DropReason reason;
    Scheduler::Time at;
};

/// Lives as long as a process of the gateway.
class WatchedSource final : public uplink::EventSource {
public:
    WatchedSource(spool::Spool& spool, Defect defect, const Scheduler& scheduler, std::vector<ToldGap>& told);

    [[nodiscard]] data::Sequence first_unacknowledged(data::ClassIndex c) const override;
    [[nodiscard]] data::Sequence readable_end(data::ClassIndex c) const override { return out(c, inner_.readable_end(c)); }
    base::Result<Read> read(data::ClassIndex c, data::Sequence from, uplink::ReadLimits limits, uplink::EventVisitor& visitor) override;
    void acknowledge(data::ClassIndex c, data::Sequence up_to) override;
    void drop(data::ClassIndex c, data::Sequence sequence, base::DropReason reason) override { inner_.drop(c, in(c, sequence), reason); }

    /// Set when something less urgent was read for sending while an alert could be.
    [[nodiscard]] const Verdict& verdict() const { return verdict_; }

private:
    class Visitor;
    void check_priority(data::ClassIndex c);
    [[nodiscard]] data::Sequence out(data::ClassIndex c, data::Sequence s) const { return data::Sequence(s.value() - shift_[c.value()]); }
    [[nodiscard]] data::Sequence in(data::ClassIndex c, data::Sequence s) const { return data::Sequence(s.value() + shift_[c.value()]); }

    spool::Spool& spool_;
    gateway::SpoolSource inner_;
    Defect defect_;
    const Scheduler& scheduler_;
    std::vector<ToldGap>& told_;
    std::uint64_t shift_[kClasses] = {};             ///< Defect::reuse_sequences
    std::uint64_t end_at_start_[kClasses] = {};      ///< Defect::gaps_forgotten_at_restart
    mutable std::uint64_t read_end_[kClasses] = {};  ///< one past what was read on this connection
    mutable std::uint32_t connections_[kClasses] = {};
    std::optional<Scheduler::Time> alerts_failed_at_;  ///< the spool could not read one: others may go meanwhile
    Verdict verdict_;
};

}  // namespace sluice::sim
