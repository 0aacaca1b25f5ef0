// What carries messages to a cloud: one connection after the other, over MQTT, HTTP, NATS or Kafka. The machine decides when to connect,
// what to send and when to give up; a carrier knows how that cloud is spoken to.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/time.hpp"

namespace sluice::uplink {

/// What stands beside a payload where a protocol has room for it.
struct Header {
    std::string_view name;
    std::string_view value;
};

/// A message ready to go. Views are valid until the dialect is used again.
struct Outgoing {
    std::string_view topic;
    base::ByteView payload;
    bool retain = false;
    std::string_view id{};              ///< the same for each copy of this message, and for no other; empty: a status
    std::span<const Header> headers{};  ///< what the payload does not say itself
    std::string_view key{};             ///< messages with the same one stay in order where a cloud divides a topic
};

/// Names a message on its way, within a connection.
using Ticket = std::uint64_t;

/// Why there is no connection, or why the last one ended.
enum class Trouble : std::uint8_t {
    none,
    unreachable,  ///< the name cannot be looked up, nobody listens, or TLS fails: the transport did not connect
    no_answer,    ///< connected, but nothing came back in time: half-open, a black hole, a captive portal, something that speaks otherwise
    refused,      ///< it does not let us in: the code says why
    closed,       ///< the cloud or the line ended it
    stalled,      ///< nothing was acknowledged in ack_timeout
    not_taken,    ///< a message was refused: the code says why
};
[[nodiscard]] std::string_view name(Trouble trouble);

/// How a connection ended.
struct Over {
    Trouble trouble = Trouble::none;              ///< none: as planned, no failure
    std::optional<std::uint16_t> refusal{};       ///< the cloud's own code: a reason code of MQTT, a status of HTTP
    bool at_once = false;                         ///< the next attempt need not wait: the cloud is there
    bool taken_over = false;                      ///< another one with our name was let in instead
    bool passing = false;                         ///< the cloud is busy, ill or going: no message is at fault
    bool of_message = false;                      ///< refused, but only when it was shown a message: where that was to go may be why
    std::optional<std::chrono::seconds> pause{};  ///< the cloud asks for this, at least
};

/// What the cloud has against a message that it has not taken.
enum class Refusal : std::uint8_t {
    other,
    too_large,           ///< it alone is larger than the cloud takes
    too_large_together,  ///< with others it is: fewer bytes at a time may be taken
};

/// Of a message, as the cloud counts.
struct MessageSize {
    std::size_t bytes = 0;
    std::size_t bytes_max = 0;  ///< what the cloud has said that it takes; 0: it has not said
};

/// What a carrier tells. All but settle() only take note, and may be called from inside settle() and send() too.
class CarrierListener {
public:
    virtual ~CarrierListener() = default;
    /// The cloud has let us in.
    virtual void on_ready(base::Monotonic now) = 0;
    /// It has the message, for good.
    virtual void on_taken(Ticket ticket, base::Monotonic now) = 0;
    /// It has not taken it.
    virtual void on_refused(Ticket ticket, std::uint16_t code, Refusal why) = 0;
    /// The connection has ended, or has to.
    virtual void on_over(const Over& how) = 0;
    /// The listener acts on what it has noted.
    virtual void settle(base::Monotonic now) = 0;
};

/// One thread. open(), then on_ready() or on_over(); from on_ready() on send(); close() ends it in any state, and nothing is told after it.
class Carrier {
public:
    virtual ~Carrier() = default;
    virtual void join(CarrierListener& listener) = 0;

    virtual void open(base::Monotonic now) = 0;
    /// `flush`: what was sent may still leave. Messages on their way are forgotten.
    virtual void close(bool flush) = 0;
    /// Behind the last message: a clean goodbye, where there is one.
    virtual void farewell() = 0;
    /// A server has answered the line, whatever it says.
    [[nodiscard]] virtual bool reached() const = 0;

    /// Messages that may be sent now.
    [[nodiscard]] virtual std::size_t window_free() const = 0;
    /// Errors: limit (window full), too_large (the cloud has said that it takes less: size_of()), closed.
    virtual base::Result<Ticket> send(const Outgoing& message, base::Monotonic now) = 0;
    [[nodiscard]] virtual MessageSize size_of(const Outgoing& message) { return {.bytes = message.payload.size()}; }
    /// Messages go one by one, and one that was too large leaves the connection as it was: what is smaller may follow on it.
    [[nodiscard]] virtual bool survives_too_large() const { return false; }
    /// What send() has written leaves.
    virtual void flush() = 0;

    /// At or after next_deadline().
    virtual void on_tick(base::Monotonic now) = 0;
    [[nodiscard]] virtual std::optional<base::Monotonic> next_deadline() const = 0;

    /// Over the life of the carrier, in bytes.
    [[nodiscard]] virtual std::uint64_t bytes_up() const = 0;
    [[nodiscard]] virtual std::uint64_t bytes_down() const = 0;
    /// For people: "MQTT 5.0". Meaningful once ready.
    [[nodiscard]] virtual std::string_view protocol() const = 0;
};

}  // namespace sluice::uplink
