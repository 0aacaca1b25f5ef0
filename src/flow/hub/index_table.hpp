// Finds small numbers (places in a pool) by the hash of a key that lies in the pool itself: 8 bytes an entry, no key copies.
#pragma once

#include <cstdint>
#include <vector>

namespace sluice::hub {

/// Open addressing with linear probing; erasing moves entries back, so there are no tombstones. At most 2^31 entries.
class IndexTable {
public:
    static constexpr std::uint32_t kNone = ~0U;

    /// `same(index)` says whether the entry at that place of the pool has the key. kNone: not there.
    template <class Same>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, Same&& same) const {
        if (count_ == 0) return kNone;
        const auto wanted = fold(hash);
        for (std::uint32_t at = wanted & mask_;; at = (at + 1) & mask_) {
            const Slot& slot = slots_[at];
            if (slot.index == kNone) return kNone;
            if (slot.hash == wanted && same(slot.index)) return slot.index;
        }
    }

    /// The key must not be there yet.
    void insert(std::uint64_t hash, std::uint32_t index) {
        if ((count_ + 1) * 3 > slots_.size() * 2) grow();
        place({fold(hash), index});
        ++count_;
    }

    /// Does nothing if it is not there.
    void erase(std::uint64_t hash, std::uint32_t index) {
        if (count_ == 0) return;
        std::uint32_t hole = fold(hash) & mask_;
        while (slots_[hole].index != index) {
            if (slots_[hole].index == kNone) return;
            hole = (hole + 1) & mask_;
        }
        for (std::uint32_t at = (hole + 1) & mask_; slots_[at].index != kNone; at = (at + 1) & mask_) {
            const std::uint32_t home = slots_[at].hash & mask_;
            if (((at - home) & mask_) < ((at - hole) & mask_)) continue;  // it stands between its home and the hole: stays
            slots_[hole] = slots_[at];
            hole = at;
        }
        slots_[hole].index = kNone;
        --count_;
    }

    [[nodiscard]] std::size_t size() const { return count_; }
    /// Bytes of memory.
    [[nodiscard]] std::size_t memory() const { return slots_.size() * sizeof(Slot); }

private:
    struct Slot {
        std::uint32_t hash = 0;
        std::uint32_t index = kNone;
    };
    static std::uint32_t fold(std::uint64_t hash) { return static_cast<std::uint32_t>(hash ^ (hash >> 32)); }
    void place(Slot entry) {
        std::uint32_t at = entry.hash & mask_;
        while (slots_[at].index != kNone) at = (at + 1) & mask_;
        slots_[at] = entry;
    }
    void grow() {
        std::vector<Slot> old(slots_.empty() ? 16 : slots_.size() * 2);
        old.swap(slots_);
        mask_ = static_cast<std::uint32_t>(slots_.size() - 1);
        for (const Slot& entry : old)
            if (entry.index != kNone) place(entry);
    }

    std::vector<Slot> slots_;
    std::uint32_t mask_ = 0;
    std::size_t count_ = 0;
};

}  // namespace sluice::hub
