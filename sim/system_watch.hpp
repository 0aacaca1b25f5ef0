// Looks at a gateway's spool after every step of its process: what must hold at every moment, not only at the end.
#pragma once

#include <optional>

#include "flow/spool/spool.hpp"
#include "sim/system_verdict.hpp"

namespace sluice::sim {

/// Lives as long as a process of the gateway: recovery may change any of the numbers. The classes come in order, the most important first.
class SpoolWatch {
public:
    /// The first thing that is wrong, if anything is.
    [[nodiscard]] Verdict look(const spool::Stats& now);

private:
    static Verdict check_sums(const spool::Stats& now);
    [[nodiscard]] Verdict check_drops(const spool::Stats& now) const;

    std::optional<spool::Stats> before_;
};

}  // namespace sluice::sim
