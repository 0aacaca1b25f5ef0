// The uplink: carries what the spool holds to a cloud that speaks MQTT, by priority, and forgets it only when the cloud says that it has
// it. A machine without I/O: bytes, time and events come in, bytes go out through ports.hpp. What is said to which cloud: dialect.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "codec/mqtt/version_choice.hpp"
#include "data/reading.hpp"
#include "env/entropy.hpp"
#include "flow/uplink/dialect.hpp"
#include "flow/uplink/ports.hpp"

namespace sluice::uplink {

struct ClassOptions {
    data::ClassIndex index;
    std::string name;           ///< [A-Za-z0-9_-]{1,64}
    std::uint8_t priority = 0;  ///< 0 goes first; classes of equal priority take turns
};

/// Which versions of MQTT the cloud is asked for, in which order.
enum class Protocol : std::uint8_t { automatic, v5, v311 };

struct Options {
    std::vector<ClassOptions> classes;  ///< 1 to data::kClassesMax
    Protocol protocol = Protocol::v5;
    std::chrono::milliseconds keep_alive{30'000};
    std::chrono::milliseconds connect_timeout{10'000};  ///< from open() to CONNACK
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

/// Why there is no connection, or why the last one ended.
enum class Trouble : std::uint8_t {
    none,
    unreachable,  ///< the name cannot be looked up, nobody listens, or TLS fails: the transport did not connect
    no_answer,    ///< connected, but no CONNACK in time: half-open, a black hole, a captive portal, something that is no MQTT server
    refused,      ///< CONNACK with an error: Stats::refusal
    closed,       ///< the cloud or the line ended it
    stalled,      ///< nothing was acknowledged in ack_timeout
    not_taken,    ///< an event was refused: Stats::refusal
};
[[nodiscard]] std::string_view name(Trouble trouble);

/// For the status page and the metrics; a plain copy.
struct Stats {
    bool connected = false;  ///< CONNACK came; still true while a dead link has not been noticed
    Trouble trouble = Trouble::none;
    mqtt::Version version = mqtt::Version::v5;
    std::uint64_t connections = 0;  ///< CONNACKs
    std::uint64_t failures = 0;     ///< attempts and connections that ended other than by stop()
    std::uint64_t refusals = 0;     ///< CONNACK or PUBACK with an error; `refusal` is the last reason code
    std::uint8_t refusal = 0;
    std::uint64_t stalls = 0;         ///< connections given up because nothing was acknowledged
    std::uint64_t messages_sent = 0;  ///< batches, resends included
    std::uint64_t events_sent = 0;    ///< resends included
    std::uint64_t events_acked = 0;
    std::uint64_t bytes_up = 0;  ///< all bytes handed to the transport
    std::uint64_t bytes_down = 0;
    std::uint64_t source_errors = 0;  ///< reads of the spool that failed; they are tried again
    std::size_t in_flight = 0;        ///< messages
    std::size_t window_bytes = 0;     ///< what lower classes may have in flight now
};

/// One thread. Life: construct, start(), feed it, stop() for a clean end.
/// Every on_… call may send, open or close through the transport before it returns.
class Uplink {
public:
    Uplink(Options options, std::unique_ptr<Dialect> dialect, EventSource& source, StatusSource& status, Transport& transport,
           env::Entropy& entropy);
    ~Uplink();
    Uplink(const Uplink&) = delete;
    Uplink& operator=(const Uplink&) = delete;

    void start(base::Monotonic now);
    /// Sends a farewell and closes. What waits stays in the spool. No reconnects until start().
    void stop(base::Monotonic now);

    void on_connected(base::Monotonic now);
    /// Returns how many bytes were consumed; an incomplete packet is presented again with more behind it.
    std::size_t on_bytes(base::ByteView bytes, base::Monotonic now);
    void on_closed(base::Monotonic now);
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
