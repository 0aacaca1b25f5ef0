// A growing array whose elements never move.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace sluice::hub {

/// Like std::vector for what is only added to; growing costs one chunk, however many there are: a vector of a hundred thousand tree nodes
/// would stop a shard for tens of milliseconds while it moves them.
template <class T, std::size_t kChunkSize>
class Chunks {
public:
    static_assert((kChunkSize & (kChunkSize - 1)) == 0, "places are found by shift and mask");

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t capacity() const { return chunks_.size() * kChunkSize; }
    [[nodiscard]] T& operator[](std::size_t i) { return (*chunks_[i / kChunkSize])[i % kChunkSize]; }
    [[nodiscard]] const T& operator[](std::size_t i) const { return (*chunks_[i / kChunkSize])[i % kChunkSize]; }
    void emplace_back() {
        if (size_ == chunks_.size() * kChunkSize) chunks_.push_back(std::make_unique<std::array<T, kChunkSize>>());
        ++size_;
    }

private:
    std::vector<std::unique_ptr<std::array<T, kChunkSize>>> chunks_;
    std::size_t size_ = 0;
};

}  // namespace sluice::hub
