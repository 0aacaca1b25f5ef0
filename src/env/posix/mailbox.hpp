// Bounded mailboxes between threads: one ring a pair of threads, no locks. A value moves from the producer to the consumer.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "env/posix/event_loop.hpp"

namespace sluice::posix {

/// A bounded queue for exactly one producing and one consuming thread. Order is kept.
template <class T>
class Mailbox {
public:
    /// `consumer` is woken when a value arrives while it sleeps; its loop must look at empty() in a task's next_deadline().
    Mailbox(std::size_t capacity, EventLoop& consumer) : slots_(std::bit_ceil(capacity)), consumer_(consumer) {}

    /// Producer: false when full, the value is untouched then; try again next turn, and stop taking input meanwhile.
    [[nodiscard]] bool push(T&& value) {
        const auto head = head_.load(std::memory_order_relaxed);
        if (head - tail_seen_ == slots_.size()) {
            tail_seen_ = tail_.load(std::memory_order_acquire);
            if (head - tail_seen_ == slots_.size()) return false;
        }
        slots_[head & (slots_.size() - 1)] = std::move(value);
        head_.store(head + 1, std::memory_order_seq_cst);
        consumer_.wake();
        return true;
    }

    /// Consumer: false when empty.
    [[nodiscard]] bool pop(T& value) {
        const auto tail = tail_.load(std::memory_order_relaxed);
        if (tail == head_.load(std::memory_order_acquire)) return false;
        value = std::move(slots_[tail & (slots_.size() - 1)]);
        tail_.store(tail + 1, std::memory_order_release);
        return true;
    }

    /// Consumer: ordered with EventLoop's sleep flag, so that no value is slept over.
    [[nodiscard]] bool empty() const { return tail_.load(std::memory_order_relaxed) == head_.load(std::memory_order_seq_cst); }

private:
    std::vector<T> slots_;
    EventLoop& consumer_;
    alignas(64) std::atomic<std::size_t> head_{0};
    std::size_t tail_seen_ = 0;  // the producer's last look at tail_
    alignas(64) std::atomic<std::size_t> tail_{0};
};

}  // namespace sluice::posix
