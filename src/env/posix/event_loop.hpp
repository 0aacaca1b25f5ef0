// One thread's event loop, in turns: wait for sockets and mail, hand over everything that is ready, let each task finish the turn.
// Why not Asio here: docs/decisions/0004-epoll-on-the-data-path.md.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "env/clock.hpp"

namespace sluice::posix {

/// Something that gets told when a file descriptor is ready.
class Watcher {
public:
    virtual ~Watcher() = default;
    /// `events` are epoll's bits (EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR); `tag` is what watch() was given.
    virtual void on_ready(std::uint32_t events, std::uint64_t tag) = 0;
    /// on_ready for this tag comes a few calls later in this turn, unless an earlier one changes that: time to fetch its memory.
    virtual void on_ready_soon(std::uint64_t tag) const { static_cast<void>(tag); }
};

/// Something that works once a turn, after all that was ready has been handed over, and that may want to be woken at a time.
class TurnTask {
public:
    virtual ~TurnTask() = default;
    virtual void on_turn(base::Monotonic now) = 0;
    /// The latest moment for the next turn; nothing: whenever something arrives.
    [[nodiscard]] virtual std::optional<base::Monotonic> next_deadline() const = 0;
};

/// Owned and run by one thread; only stop() and wake() may be called by others.
class EventLoop {
public:
    /// `nap`: while messages keep coming, how long the loop may sleep between turns to take more in one (0: never).
    EventLoop(const env::Clock& clock, std::chrono::microseconds nap);
    ~EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    /// `watcher` must stay until unwatch(). One watcher has one slot: many descriptors may share it and are told apart by the tag.
    void watch(int fd, std::uint32_t events, Watcher& watcher, std::uint64_t tag);
    void rewatch(int fd, std::uint32_t events, Watcher& watcher, std::uint64_t tag);
    void unwatch(int fd);

    /// Tasks are called in the order in which they were added: add those that produce output before those that send it.
    void add_task(TurnTask& task) { tasks_.push_back(&task); }

    void run();
    /// One turn; waits at most until `latest` (nothing: until something happens).
    void run_once(std::optional<base::Monotonic> latest);

    /// Any thread: run() returns after its turn.
    void stop();
    /// Any thread: makes a waiting loop start a turn now. Cheap while the loop is awake.
    void wake();

    /// The time at which this turn began.
    [[nodiscard]] base::Monotonic now() const { return now_; }
    [[nodiscard]] const env::Clock& clock() const { return clock_; }
    /// Messages handled in this turn, told by those who handle them: decides whether a nap pays.
    void count_work(std::uint32_t messages) { work_ += messages; }
    /// Tells the loop that more input is known to wait: no nap before the next turn.
    void hurry() { hurry_ = true; }

private:
    struct Slot {
        Watcher* watcher = nullptr;
        std::uint64_t tag = 0;
    };
    int wait_milliseconds(std::optional<base::Monotonic> latest) const;
    void nap_if_it_pays();
    void announce(int fd) const;

    const env::Clock& clock_;
    std::chrono::microseconds nap_;
    int epoll_ = -1;
    int wake_fd_ = -1;
    std::vector<Slot> slots_;  // by file descriptor: small numbers, dense
    std::vector<TurnTask*> tasks_;
    base::Monotonic now_{};
    base::Monotonic rate_since_{};
    std::uint64_t rate_count_ = 0;
    std::uint64_t rate_per_second_ = 0;
    std::uint32_t work_ = 0;
    bool hurry_ = false;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> asleep_{false};
};

}  // namespace sluice::posix
