// The packet identifiers under way in one direction, from the leg that a message comes from to the leg that it goes to.
#pragma once

#include <cstdint>
#include <vector>

#include "codec/mqtt/packet.hpp"

namespace sluice::bridge {

/// What is awaited for an identifier.
enum class Flow : std::uint8_t {
    none,
    published,  ///< PUBLISH has gone over with QoS 1: PUBACK of the taker
    once,       ///< the same with QoS 2: PUBREC of the taker
    lowered,    ///< the same, but it came with QoS 2 and went over with QoS 1: the taker's PUBACK is our PUBREC
    received,   ///< PUBREC has gone back: PUBREL of the sender
    released,   ///< PUBREL has gone over: PUBCOMP of the taker
    settled,    ///< we have answered QoS 2 with PUBREC ourselves: PUBREL of the sender, which we answer, too
};

class Flows {
public:
    [[nodiscard]] Flow of(mqtt::PacketId id) const { return states_[id]; }
    void set(mqtt::PacketId id, Flow to) {
        const auto open = [](Flow flow) { return flow != Flow::none ? 1U : 0U; };
        const auto waits = [](Flow flow) { return flow != Flow::none && flow != Flow::received && flow != Flow::settled ? 1U : 0U; };
        open_ += open(to) - open(states_[id]);
        waiting_ += waits(to) - waits(states_[id]);
        states_[id] = to;
    }
    /// Identifiers in use.
    [[nodiscard]] std::uint32_t open() const { return open_; }
    /// Of these: the taker's answer is awaited.
    [[nodiscard]] std::uint32_t waiting() const { return waiting_; }
    void clear() {
        if (open_ != 0) states_.assign(states_.size(), Flow::none);
        open_ = waiting_ = 0;
    }

private:
    std::vector<Flow> states_ = std::vector<Flow>(65'536, Flow::none);  // 64 KiB a direction: no search, and no allocation later
    std::uint32_t open_ = 0;
    std::uint32_t waiting_ = 0;
};

}  // namespace sluice::bridge
