// How events become messages: what differs between the clouds, beside how they are spoken to (carrier.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/ledger.hpp"
#include "data/reading.hpp"
#include "flow/uplink/ports.hpp"

namespace sluice::uplink {

/// One thread. Holds one message at a time: begin(), events and gaps in order of their sequence without holes, finish().
class Dialect {
public:
    virtual ~Dialect() = default;

    virtual void begin(std::string_view class_name, data::Sequence first) = 0;
    /// False: the message is full, nothing was added. An empty one takes any event that the spool takes.
    [[nodiscard]] virtual bool add_event(data::Sequence sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) = 0;
    [[nodiscard]] virtual bool add_gap(data::Sequence first, data::Sequence last, base::DropReason reason) = 0;
    /// Bytes of the message so far, before compression.
    [[nodiscard]] virtual std::size_t bytes() const = 0;
    [[nodiscard]] virtual Outgoing finish(data::Epoch epoch) = 0;

    /// Of rule ids and JSON that one message holds, at most.
    [[nodiscard]] virtual std::size_t fill_bytes_max() const = 0;
    /// Events or gaps in one message, at most.
    [[nodiscard]] virtual std::size_t items_max() const = 0;

    /// The gateway's account of itself; nothing where this cloud is told none. Views as those of finish().
    [[nodiscard]] virtual std::optional<Outgoing> status(bool online, StatusSource& source) = 0;
};

}  // namespace sluice::uplink
