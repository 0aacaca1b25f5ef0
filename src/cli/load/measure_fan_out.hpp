// One measurement of a broker that passes each message on to many: what it delivers for its CPU time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/error.hpp"
#include "cli/load/histogram.hpp"
#include "cli/load/resources.hpp"
#include "cli/load/target.hpp"

namespace sluice::load {

struct FanOutMeasureOptions {
    Endpoint to;
    std::uint32_t subscribers = 1000;
    std::uint8_t qos = 0;
    std::uint32_t window = 64;  ///< messages that not every subscriber has yet, see FanOutOptions
    double rate = 0;            ///< messages a second; 0: as many as the window allows
    double seconds = 5;         ///< measured
    double warmup_seconds = 1;
    std::vector<pid_t> watch;  ///< whose CPU and memory to read, added up
};

struct FanOutMeasurement {
    std::uint64_t published = 0;
    std::uint64_t delivered = 0;         ///< to all subscribers together; each got each message once and in order
    std::chrono::nanoseconds elapsed{};  ///< until the last subscriber had the last one
    std::chrono::nanoseconds cpu{};      ///< of the watched processes meanwhile
    ProcessUse process;                  ///< at the end
    Histogram latency;                   ///< from due (with a rate) or published to the last subscriber
};

/// Connects, warms up, measures, disconnects. Blocks; call it with no event loop running on this thread.
/// Errors: refused, closed, denied; corrupt (a message lost, twice or out of order); limit (open files); timeout; unavailable (a signal).
[[nodiscard]] base::Result<FanOutMeasurement> measure_fan_out(const FanOutMeasureOptions& options);

/// One JSON object without line breaks.
[[nodiscard]] std::string to_json(const FanOutMeasureOptions& options, const FanOutMeasurement& result);

}  // namespace sluice::load
