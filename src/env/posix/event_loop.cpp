#include "env/posix/event_loop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <thread>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.hpp"

namespace sluice::posix {
namespace {

constexpr int kEventsPerTurn = 1024;
// With thousands of sockets each one's state has left the caches since its last message: it is fetched while those before it are handled.
constexpr int kAhead = 3;
// A nap pays when several messages are expected in it: each spares a wake-up (about 3 µs of CPU), each costs latency.
constexpr std::uint64_t kNapMessagesMin = 2;
constexpr std::chrono::milliseconds kRateWindow{50};

}  // namespace

EventLoop::EventLoop(const env::Clock& clock, std::chrono::microseconds nap)
    : clock_(clock),
      nap_(nap),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      now_(clock.now()) {
    base::check(epoll_ >= 0 && wake_fd_ >= 0, "event loop: no file descriptors left at start");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = wake_fd_;
    base::check(::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_fd_, &event) == 0, "event loop: cannot watch its own wake-up");
}

EventLoop::~EventLoop() {
    ::close(wake_fd_);
    ::close(epoll_);
}

void EventLoop::watch(int fd, std::uint32_t events, Watcher& watcher, std::uint64_t tag) {
    const auto at = static_cast<std::size_t>(fd);
    if (slots_.size() <= at) slots_.resize(std::max(at + 1, slots_.size() * 2));
    slots_[at] = {&watcher, tag};
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    base::check(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0, "event loop: watching a descriptor failed");
}

void EventLoop::rewatch(int fd, std::uint32_t events, Watcher& watcher, std::uint64_t tag) {
    slots_[static_cast<std::size_t>(fd)] = {&watcher, tag};
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    base::check(::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0, "event loop: changing a watch failed");
}

void EventLoop::unwatch(int fd) {
    slots_[static_cast<std::size_t>(fd)] = {};
    epoll_event event{};
    // A failure means that the descriptor is not watched (any more): that is what was asked for.
    (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, &event);
}

int EventLoop::wait_milliseconds(std::optional<base::Monotonic> latest) const {
    for (const TurnTask* task : tasks_) {
        const auto deadline = task->next_deadline();
        if (deadline && (!latest || *deadline < *latest)) latest = deadline;
    }
    if (!latest) return -1;
    const auto left = *latest - clock_.now();
    if (left <= left.zero()) return 0;
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return static_cast<int>(std::min<std::int64_t>(milliseconds, std::numeric_limits<int>::max()));
}

void EventLoop::nap_if_it_pays() {
    rate_count_ += work_;
    if (now_ - rate_since_ >= kRateWindow) {
        const auto window_us = std::chrono::duration_cast<std::chrono::microseconds>(now_ - rate_since_).count();
        rate_per_second_ = rate_count_ * 1'000'000 / static_cast<std::uint64_t>(window_us);
        rate_since_ = now_;
        rate_count_ = 0;
    }
    const bool worth_it =
        !hurry_ && work_ != 0 && rate_per_second_ * static_cast<std::uint64_t>(nap_.count()) >= kNapMessagesMin * 1'000'000;
    work_ = 0;
    hurry_ = false;
    // Not interruptible by wake(): bounded by the nap, which is at most a few milliseconds.
    if (worth_it) std::this_thread::sleep_for(nap_);
}

void EventLoop::run_once(std::optional<base::Monotonic> latest) {
    if (nap_.count() != 0) nap_if_it_pays();
    std::array<epoll_event, kEventsPerTurn> events;
    int timeout = wait_milliseconds(latest);
    if (timeout != 0) {
        asleep_.store(true, std::memory_order_seq_cst);
        // Mail that arrived before the flag was raised found the loop awake and did not ring: the tasks look for it in next_deadline().
        timeout = wait_milliseconds(latest);
    }
    const int count = ::epoll_wait(epoll_, events.data(), kEventsPerTurn, timeout);
    asleep_.store(false, std::memory_order_relaxed);
    base::check(count >= 0 || errno == EINTR, "event loop: epoll_wait failed");
    now_ = clock_.now();
    if (count == kEventsPerTurn) hurry_ = true;
    for (int i = 0; i < count; ++i) {
        if (const int soon = i + kAhead; soon < count) announce(events[static_cast<std::size_t>(soon)].data.fd);
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == wake_fd_) {
            std::uint64_t rings;
            (void)!::read(wake_fd_, &rings, sizeof rings);  // only resets the bell: its count says nothing
            continue;
        }
        const Slot slot = slots_[static_cast<std::size_t>(fd)];
        if (slot.watcher != nullptr) slot.watcher->on_ready(events[static_cast<std::size_t>(i)].events, slot.tag);
    }
    for (TurnTask* task : tasks_) task->on_turn(now_);
}

void EventLoop::announce(int fd) const {
    if (fd == wake_fd_) return;
    const Slot& slot = slots_[static_cast<std::size_t>(fd)];
    if (slot.watcher != nullptr) slot.watcher->on_ready_soon(slot.tag);
}

void EventLoop::run() {
    while (!stopping_.load(std::memory_order_relaxed)) run_once(std::nullopt);
}

void EventLoop::stop() {
    stopping_.store(true, std::memory_order_relaxed);
    const std::uint64_t ring = 1;
    (void)!::write(wake_fd_, &ring, sizeof ring);  // a full counter has rung already
}

void EventLoop::wake() {
    if (!asleep_.exchange(false, std::memory_order_seq_cst)) return;
    const std::uint64_t ring = 1;
    (void)!::write(wake_fd_, &ring, sizeof ring);  // a full counter has rung already
}

}  // namespace sluice::posix
