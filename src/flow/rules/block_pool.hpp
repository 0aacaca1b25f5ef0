// State that a key has more than once (of each pane or session that is open): blocks of one size, chained from the key's row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "flow/rules/stored_value.hpp"

namespace sluice::rules {

/// In front of the accumulators of a block. Times are nanoseconds of the monotonic clock, or milliseconds of event time.
struct BlockHead {
    std::int64_t order;     ///< of its pane; of a session the time of its first reading
    std::int64_t last;      ///< of a session: the time of its last reading
    std::int64_t start_ms;  ///< of a session: its first reading, since 1970
    std::int64_t due;       ///< of a session: when it will be looked at
    std::uint32_t next;     ///< the key's next older block; 0: none
    std::uint32_t place;    ///< of a pane: in the list of its keys
};
static_assert(sizeof(BlockHead) == 40);

/// Handles count from 1. Blocks stay where they are. What is given back is taken again first; memory is not returned, and
/// stays charged, except where keys are forgotten: there a free block's bytes must be of use to what is not a block.
class BlockPool {
public:
    /// `bytes` of a block, its head included; a multiple of 8.
    /// `counted`: what a block counts in the budget.
    BlockPool(std::size_t bytes, StateBudget& budget, std::size_t counted) : bytes_(bytes), counted_(counted), budget_(budget) {}

    /// A zeroed block; 0: no room.
    [[nodiscard]] std::uint32_t take();
    void give(std::uint32_t handle);

    [[nodiscard]] std::byte* state(std::uint32_t handle) const {
        const std::size_t at = handle - 1;
        return chunks_[at / kBlocksPerChunk].get() + at % kBlocksPerChunk * bytes_;
    }
    [[nodiscard]] BlockHead& head(std::uint32_t handle) const { return *reinterpret_cast<BlockHead*>(state(handle)); }

    /// The block of this order in a chain, newest first; 0: none.
    [[nodiscard]] std::uint32_t find(std::uint32_t chain, std::int64_t order) const;
    /// Puts a block into its place in the chain.
    void insert(std::uint32_t& chain, std::uint32_t handle);
    /// Takes it out of the chain; it is not given back.
    void unlink(std::uint32_t& chain, std::uint32_t handle);

private:
    static constexpr std::size_t kBlocksPerChunk = 16;

    std::size_t bytes_;
    std::size_t counted_;
    StateBudget& budget_;
    std::size_t made_ = 0;
    std::vector<std::unique_ptr<std::byte[]>> chunks_;
    std::vector<std::uint32_t> free_;
};

}  // namespace sluice::rules
