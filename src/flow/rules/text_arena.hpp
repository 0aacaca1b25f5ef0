// Memory for texts that expressions make while one reading is evaluated.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

namespace sluice::rules {

/// Pointers stay valid until reset(). Owned by one engine.
class TextArena {
public:
    /// Of all texts of one reading; a rule that makes more gets NULL.
    static constexpr std::size_t kBytesMax = std::size_t{4} << 20;

    /// At least one byte; nullptr when the limit is reached. 8 bytes behind it can be read.
    [[nodiscard]] char* allocate(std::size_t bytes) {
        if (bytes > kBytesMax - std::min(total_, kBytesMax)) return nullptr;
        if (chunk_ >= chunks_.size() || used_ + bytes + kPadding > chunks_[chunk_].size) {
            next_chunk(bytes + kPadding);
        }
        char* at = chunks_[chunk_].bytes.get() + used_;
        used_ += std::max<std::size_t>(bytes, 1);
        total_ += bytes;
        return at;
    }

    void reset() {
        if (used_ == 0 && chunk_ == 0) return;  // nothing was made, not even an empty text
        // One ordinary chunk is kept; what a rare huge text needed goes back.
        if (chunks_.size() > 1 || chunks_.front().size > kChunkBytes) chunks_.resize(chunks_.front().size > kChunkBytes ? 0 : 1);
        chunk_ = used_ = total_ = 0;
    }

private:
    static constexpr std::size_t kChunkBytes = 64 * 1024;
    static constexpr std::size_t kPadding = 8;
    struct Chunk {
        std::unique_ptr<char[]> bytes;
        std::size_t size = 0;
    };

    void next_chunk(std::size_t bytes) {
        const std::size_t size = std::max(bytes, kChunkBytes);
        chunks_.push_back({.bytes = std::make_unique<char[]>(size), .size = size});
        chunk_ = chunks_.size() - 1;
        used_ = 0;
    }

    std::vector<Chunk> chunks_;
    std::size_t chunk_ = 0;
    std::size_t used_ = 0;
    std::size_t total_ = 0;
};

}  // namespace sluice::rules
