// What moves along the data path, as views: nothing here owns bytes.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/strong.hpp"
#include "base/time.hpp"

namespace sluice::data {

/// One message from a sensor. All views are valid during the call that hands the reading over, no longer.
struct Reading {
    std::string_view topic;   ///< valid UTF-8, no wildcards, no U+0000, 1 to 65,535 bytes
    base::ByteView payload;   ///< as it came; at least kReadablePadding bytes behind it may be read (not written)
    std::string_view client;  ///< client id of the publisher; empty for internal sources
    base::WallTime arrived;   ///< by the wall clock
    base::Monotonic at;       ///< the same moment by the monotonic clock
};

/// JSON scanners read past the end of their input in whole vectors; every buffer that a Reading's payload lies in ends this far behind it.
inline constexpr std::size_t kReadablePadding = 64;

/// Index of an event class in the configuration's order (`alert`, `aggregate`, `sample`, then the user's own).
using ClassIndex = base::Strong<struct ClassIndexTag, std::uint8_t>;
inline constexpr std::size_t kClassesMax = 16;

/// Position of an event in its class: 1, 2, 3, … without holes, within one epoch of a gateway's spool.
using Sequence = base::Strong<struct SequenceTag, std::uint64_t>;

/// One life of a gateway's spool: a new one begins when the data directory is made anew or sequence numbers could repeat. Below 2^53, so
/// that JSON readers keep it exact.
using Epoch = base::Strong<struct EpochTag, std::uint64_t>;

/// What a rule, function, module or model produces for the cloud.
struct Event {
    ClassIndex event_class;
    std::string_view rule;  ///< id of what produced it
    base::WallTime made;    ///< arrival of the reading that caused it
    base::ByteView json;    ///< one JSON object, UTF-8
};

/// Index of a shard: 0 to the number of shards less one.
using ShardIndex = base::Strong<struct ShardIndexTag, std::uint16_t>;

}  // namespace sluice::data
