// What hubs of one process tell each other. The runtime only carries it, in order and without loss, from one shard to another.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace sluice::hub {

/// Records of one turn, in order; made and read by hubs only (shard_records.hpp). Between two shards they must arrive in the order sent.
/// A default-made message is empty. Moves are cheap; copies are not meant.
struct ShardMessage {
    base::Bytes bytes;
    std::uint32_t records = 0;
};

}  // namespace sluice::hub
