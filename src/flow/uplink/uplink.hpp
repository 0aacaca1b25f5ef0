// The uplink: brings what the spool holds to a cloud, by priority, and forgets it only when the cloud says that it has it. A machine
// without I/O: time and events come in, messages go out. What is said to which cloud: dialect.hpp; over which protocol: carrier.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "data/reading.hpp"
#include "env/entropy.hpp"
#include "flow/uplink/carrier.hpp"
#include "flow/uplink/dialect.hpp"
#include "flow/uplink/ports.hpp"

namespace sluice::uplink {

struct ClassOptions {
    data::ClassIndex index;
    std::string name;           ///< [A-Za-z0-9_-]{1,64}
    std::uint8_t priority = 0;  ///< 0 goes first; classes of equal priority take turns
};

struct Options {
    std::vector<ClassOptions> classes;                  ///< 1 to data::kClassesMax
    std::chrono::milliseconds connect_timeout{10'000};  ///< until the cloud has let us in
    std::chrono::milliseconds ack_timeout{20'000};  ///< the oldest message in flight unacknowledged for so long: the connection is remade
    std::chrono::milliseconds retry_min{250};       ///< first pause between attempts; doubled each time, with jitter
    std::chrono::milliseconds retry_max{30'000};
    std::chrono::milliseconds status_interval{5'000};
    std::uint32_t in_flight = 16;            ///< unacknowledged messages, 2 to 1,024; lower classes use all but a quarter of them
    std::uint32_t drain_rate = 100'000;      ///< events a second of all classes; 0: no limit
    std::uint32_t message_rate = 0;          ///< messages a second that the cloud takes; 0: no limit
    std::uint32_t byte_rate = 0;             ///< the same of payload bytes
    std::uint32_t batch_events_max = 1'000;  ///< events in a message
    std::size_t batch_bytes_max = 128 * 1024;
    /// What lower classes may have in flight follows the link, so that about this much time of it is theirs when an alert comes.
    std::chrono::milliseconds queue_target{250};
};

/// An event that this cloud does not take.
struct HardEvent {
    std::string class_name;
    data::Sequence sequence{0};
    MessageSize size{};  ///< of its message
};

/// For the status page and the metrics; a plain copy.
struct Stats {
    bool connected = false;  ///< the cloud has answered; still true while a dead link has not been noticed
    Trouble trouble = Trouble::none;
    std::uint64_t connections = 0;  ///< the cloud has let us in
    std::uint64_t failures = 0;     ///< attempts and connections that ended other than by stop()
    std::uint64_t refusals = 0;     ///< of us or of a message; `refusal` is the last code
    std::uint16_t refusal = 0;
    std::uint64_t stalls = 0;         ///< connections given up because nothing was acknowledged
    std::uint64_t messages_sent = 0;  ///< batches, resends included
    std::uint64_t events_sent = 0;    ///< resends included
    std::uint64_t events_acked = 0;
    std::uint64_t bytes_up = 0;  ///< all bytes sent
    std::uint64_t bytes_down = 0;
    std::uint64_t source_errors = 0;  ///< reads of the spool that failed; they are tried again
    std::size_t in_flight = 0;        ///< messages
    std::size_t window_bytes = 0;     ///< what lower classes may have in flight now
    std::uint64_t too_large = 0;      ///< events dropped because the cloud has said that their message is too large …
    HardEvent last_too_large{};       ///< … and the last one
    std::vector<HardEvent> standing;  ///< classes that stand: connections end at this event (trial.hpp)
};

/// One thread. Life: construct, start(), feed it, stop() for a clean end.
/// Every call may send, open or close through the carrier before it returns.
class Uplink {
public:
    /// Joins the carrier, which outlives it.
    Uplink(Options options, std::unique_ptr<Dialect> dialect, Carrier& carrier, EventSource& source, StatusSource& status,
           env::Entropy& entropy);
    ~Uplink();
    Uplink(const Uplink&) = delete;
    Uplink& operator=(const Uplink&) = delete;

    void start(base::Monotonic now);
    /// Sends a farewell and closes. What waits stays in the spool. No reconnects until start().
    void stop(base::Monotonic now);

    /// New events are durable (call it after a commit).
    void on_events(base::Monotonic now);
    void on_tick(base::Monotonic now);
    /// When on_tick is wanted next; nothing before start() and after stop().
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const;

    [[nodiscard]] const Stats& stats() const;

private:
    class Machine;
    std::unique_ptr<Machine> machine_;
};

}  // namespace sluice::uplink
