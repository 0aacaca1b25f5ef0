// Acknowledgements that wait for storage, in the order in which they must leave.
#pragma once

#include <algorithm>
#include <cstdint>

#include "codec/mqtt/packet.hpp"
#include "flow/hub/ports.hpp"
#include "flow/hub/ring.hpp"

namespace sluice::hub {

struct PendingAck {
    Ticket ticket = 0;
    ConnectionId connection{};
    mqtt::PacketId packet_id = 0;
    mqtt::PacketType type = mqtt::PacketType::puback;
    mqtt::ReasonCode reason = mqtt::ReasonCode::success;
};

/// One FIFO for all connections: tickets in it never decrease, so the front is the next to be released, and acknowledgements of one
/// connection leave in the order of their publishes.
class AckQueue {
public:
    /// An acknowledgement with a smaller ticket than those before it (0, usually) waits with them.
    void push(PendingAck ack) {
        last_ = std::max(last_, ack.ticket);
        ack.ticket = last_;
        waiting_.push_back(ack);
    }
    /// Calls send(const PendingAck&) for all with tickets up to this one.
    template <class Send>
    void release(Ticket durable, Send&& send) {
        while (!waiting_.empty() && waiting_.front().ticket <= durable) send(waiting_.pop_front());
    }
    [[nodiscard]] std::size_t size() const { return waiting_.size(); }
    /// Bytes of memory.
    [[nodiscard]] std::size_t memory() const { return waiting_.memory(); }
    /// The greatest ticket seen; a repeated publish waits for it, as its first copy may still be waiting.
    [[nodiscard]] Ticket last() const { return last_; }

private:
    Ring<PendingAck> waiting_;
    Ticket last_ = 0;
};

}  // namespace sluice::hub
