// Well-behaved clients beside somebody who is not: how long their messages take, phase by phase, and whether any is lost.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/error.hpp"
#include "cli/load/histogram.hpp"
#include "cli/load/target.hpp"

namespace sluice::load {

struct BystanderOptions {
    Target target;
    std::uint32_t sensors = 50;
    std::uint32_t watchers = 4;  ///< each hears every reading, QoS 1; several, so that they live on several shards
    double rate = 1000;          ///< readings a second of all sensors, QoS 1, on an open-loop schedule
    /// Seconds of each phase, one behind the other without a pause.
    std::vector<double> phases{4, 4, 4};
    std::uint64_t seed = 1;
    pid_t watch = 0;  ///< whose memory and CPU to read at the end of each phase; 0: nobody's
    /// Called when the first reading is due.
    std::function<void()> on_begin = [] {};
};

/// Of the readings that were due in one phase.
struct BystanderPhase {
    Histogram delivery;              ///< from due to the arrival at a watcher
    Histogram ack;                   ///< from due to the PUBACK; those that came in this phase
    std::uint64_t expected = 0;      ///< deliveries to all watchers
    std::uint64_t missing = 0;       ///< never came
    std::uint64_t repeated = 0;      ///< came again, or out of order
    std::uint64_t memory = 0;        ///< bytes of the watched process at its end
    std::chrono::nanoseconds cpu{};  ///< of the watched process meanwhile
};

struct Bystanders {
    std::vector<BystanderPhase> phases;
    std::uint64_t memory_peak = 0;  ///< of the watched process, bytes
    std::uint64_t reconnects = 0;   ///< connections of sensors that were lost
    Histogram send_delay;           ///< the generator's own lateness
};

/// Connects, publishes through all phases, waits for what is under way, disconnects. Blocks; call it with no event loop running on this
/// thread. Errors: those of a Fleet's failure; timeout (what was published was not acknowledged or delivered within a minute); unavailable
/// (Ctrl-C).
[[nodiscard]] base::Result<Bystanders> watch_bystanders(const BystanderOptions& options);

/// One line of JSON, times in milliseconds.
[[nodiscard]] std::string to_json(const Bystanders& result);

}  // namespace sluice::load
