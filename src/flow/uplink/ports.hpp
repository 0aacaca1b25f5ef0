// What the uplink needs from others: events to send, a status to report, a connection. The spool, the gateway and the network implement
// these; wiring joins them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/ledger.hpp"
#include "base/time.hpp"
#include "data/reading.hpp"
#include "flow/uplink/carrier.hpp"

namespace sluice::uplink {

/// Receives what EventSource::read finds, in order of sequence, without holes: every number is in an event or in a gap.
/// Views are valid during the call.
class EventVisitor {
public:
    virtual ~EventVisitor() = default;
    virtual void event(data::Sequence sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) = 0;
    /// The numbers first to last are gone for this reason.
    virtual void gap(data::Sequence first, data::Sequence last, base::DropReason reason) = 0;
};

struct ReadLimits {
    std::size_t events;  ///< at most; 1 or more
    std::size_t bytes;   ///< of rule ids and JSON together, at most; the first event comes whatever its size (up to the spool's own limit)
};

/// The durable events that wait for the cloud; implemented by the spool. Called on one thread, never from inside a visitor.
class EventSource {
public:
    virtual ~EventSource() = default;

    /// The position from which to send after a (re)connect: the first number of the class that is not acknowledged.
    [[nodiscard]] virtual data::Sequence first_unacknowledged(data::ClassIndex event_class) const = 0;

    /// One past the last number that may be read. Only durable events are readable. Equal to the read position: nothing to send.
    [[nodiscard]] virtual data::Sequence readable_end(data::ClassIndex event_class) const = 0;

    struct Read {
        data::Epoch epoch;    ///< of everything that was visited; where the epoch changes, the read ends
        data::Sequence next;  ///< where the next read of the class begins
    };
    /// Visits what is at `from` and after it, within the limits. What was dropped since, or cannot be read back, is visited as a gap. A
    /// position that was acknowledged already is moved forward; nothing visited means that nothing is there.
    /// Errors: io, corrupt (nothing is lost, try again later).
    virtual base::Result<Read> read(data::ClassIndex event_class, data::Sequence from, ReadLimits limits, EventVisitor& visitor) = 0;

    /// The cloud has stored everything up to and including this number. May be persisted late: a stale position only means that it is sent
    /// again.
    virtual void acknowledge(data::ClassIndex event_class, data::Sequence up_to) = 0;

    /// This cloud can never take the event: counted as dropped; from now on read() visits a gap in its place.
    virtual void drop(data::ClassIndex event_class, data::Sequence sequence, base::DropReason reason) = 0;
};

/// The gateway's account of itself, sent to the cloud every few seconds.
class StatusSource {
public:
    virtual ~StatusSource() = default;
    /// Appends the `ledger` object of /api/v1/status (one JSON object).
    virtual void append_ledger(base::Bytes& out) = 0;
};

/// A carrier that speaks over a stream of bytes, and what its transport tells it.
class StreamCarrier : public Carrier {
public:
    virtual void on_connected(base::Monotonic now) = 0;
    /// Returns how many bytes were consumed; an incomplete message is presented again with more behind it.
    virtual std::size_t on_bytes(base::ByteView bytes, base::Monotonic now) = 0;
    virtual void on_closed(base::Monotonic now) = 0;
};

/// One connection to the cloud. After open() the transport calls StreamCarrier::on_connected or on_closed; after close() it calls nothing
/// more for that connection. It never calls back from inside these functions.
class Transport {
public:
    virtual ~Transport() = default;
    virtual void open() = 0;
    /// Queues bytes; they leave in order. Only while connected.
    virtual void send(base::ByteView bytes) = 0;
    /// Ends the connection (or the attempt); queued bytes may be lost unless `flush`.
    virtual void close(bool flush) = 0;
};

}  // namespace sluice::uplink
