// One measurement of a broker or gateway under load: throughput, CPU, memory, latencies, and whether every alert was right.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/error.hpp"
#include "cli/load/alert_book.hpp"
#include "cli/load/histogram.hpp"
#include "cli/load/resources.hpp"
#include "cli/load/target.hpp"

namespace sluice::load {

struct MeasureOptions {
    Endpoint to;
    std::uint32_t connections = 10;
    std::uint8_t qos = 0;
    /// Readings a second of all connections, on an open-loop schedule; 0: as many as the other side takes.
    double rate = 0;
    double seconds = 5;         ///< measured
    double warmup_seconds = 2;  ///< before that, at full speed; only without a rate
    /// Before a schedule with a rate each sensor publishes this often, at warmup_rate, so that rules over the last hundred readings judge.
    std::uint32_t warmup_readings = 100;
    double warmup_rate = 20'000;
    std::uint32_t window = 0;  ///< QoS 1, each connection; 0: chosen
    std::uint32_t batch = 0;   ///< without a rate: readings a write, see FleetOptions
    std::uint64_t seed = 1;
    double spikes = 0;          ///< probability
    bool check_alerts = false;  ///< with a rate: subscribe to alerts/#, time them and compare them with those that must come
    std::vector<pid_t> watch;   ///< whose CPU and memory to read, added up
    bool progress = false;      ///< a line on stderr at each phase
};

struct Measurement {
    std::uint64_t messages = 0;
    std::chrono::nanoseconds elapsed{};  ///< from the first message until the other side has read the last one
    std::chrono::nanoseconds cpu{};      ///< of the watched processes meanwhile
    ProcessUse process;                  ///< at the end
    Histogram ack;                       ///< QoS 1: from due (with a rate) or sent to PUBACK
    Histogram send_delay;                ///< with a rate: the generator's own lateness
    Histogram alert;                     ///< from when the reading was due to the arrival of its alert
    AlertBook::Comparison alerts;
    std::uint64_t reconnects = 0;
    std::uint64_t tls_resumed = 0;  ///< handshakes that took up an earlier session
    [[nodiscard]] double per_second() const { return static_cast<double>(messages) * 1e9 / static_cast<double>(elapsed.count()); }
    [[nodiscard]] double cpu_us_per_message() const {
        return messages == 0 ? 0 : static_cast<double>(cpu.count()) / 1e3 / static_cast<double>(messages);
    }
};

/// Connects, warms up, measures, disconnects. Blocks; call it with no event loop running on this thread.
/// Errors: those of a Fleet's failure (refused, denied, closed, …); limit (open files); timeout (the other side stopped reading or acking);
/// unavailable (Ctrl-C or SIGTERM).
[[nodiscard]] base::Result<Measurement> measure(const MeasureOptions& options);

/// One line of JSON, times in milliseconds or microseconds as the names say.
[[nodiscard]] std::string to_json(const MeasureOptions& options, const Measurement& result);

}  // namespace sluice::load
