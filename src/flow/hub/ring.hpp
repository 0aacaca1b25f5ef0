// A queue in one block of memory: nothing while empty, no allocation while it does not grow.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace sluice::hub {

template <class T>
class Ring {
public:
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] std::size_t size() const { return count_; }
    /// Bytes of memory.
    [[nodiscard]] std::size_t memory() const { return slots_.capacity() * sizeof(T); }
    /// From the oldest, 0.
    [[nodiscard]] T& operator[](std::size_t i) { return slots_[(head_ + i) & (slots_.size() - 1)]; }
    [[nodiscard]] const T& operator[](std::size_t i) const { return slots_[(head_ + i) & (slots_.size() - 1)]; }
    [[nodiscard]] T& front() { return (*this)[0]; }
    [[nodiscard]] T& back() { return (*this)[count_ - 1]; }

    void push_back(T value) {
        if (count_ == slots_.size()) grow();
        ++count_;
        back() = std::move(value);
    }
    T pop_front() {
        T value = std::exchange(front(), T{});
        head_ = (head_ + 1) & (slots_.size() - 1);
        --count_;
        return value;
    }
    /// Removes one; those before it move up. Cheap near the front, where acknowledgements fall.
    T take(std::size_t i) {
        T value = std::move((*this)[i]);
        for (; i != 0; --i) (*this)[i] = std::move((*this)[i - 1]);
        front() = T{};
        head_ = (head_ + 1) & (slots_.size() - 1);
        --count_;
        return value;
    }
    /// Removes those for which drop(value) holds; the others keep their order. Returns how many went.
    template <class Drop>
    std::size_t erase_if(Drop&& drop) {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < count_; ++i) {
            if (drop(std::as_const((*this)[i]))) continue;
            if (kept != i) (*this)[kept] = std::move((*this)[i]);
            ++kept;
        }
        for (std::size_t i = kept; i < count_; ++i) (*this)[i] = T{};
        return count_ - std::exchange(count_, kept);
    }
    void clear() {
        slots_.clear();
        slots_.shrink_to_fit();
        head_ = count_ = 0;
    }

private:
    void grow() {
        std::vector<T> bigger(slots_.empty() ? 4 : slots_.size() * 2);  // a power of two: places are masked
        for (std::size_t i = 0; i < count_; ++i) bigger[i] = std::move((*this)[i]);
        slots_.swap(bigger);
        head_ = 0;
    }
    std::vector<T> slots_;
    std::size_t head_ = 0;
    std::size_t count_ = 0;
};

}  // namespace sluice::hub
