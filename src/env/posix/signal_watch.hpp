// Ctrl-C and SIGTERM as something that a loop sees.
#pragma once

#include "env/posix/event_loop.hpp"

namespace sluice::posix {

/// While it lives, SIGINT and SIGTERM no longer end the process; they are counted instead. Make it before any other thread. Children that
/// are started meanwhile inherit the block: ChildProcess unblocks them.
class SignalWatch final : private Watcher {
public:
    explicit SignalWatch(EventLoop& loop);
    ~SignalWatch() override;
    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;

    [[nodiscard]] bool requested() const { return count_ > 0; }
    /// Asked twice: do not even finish cleanly.
    [[nodiscard]] bool impatient() const { return count_ > 1; }

private:
    void on_ready(std::uint32_t events, std::uint64_t tag) override;
    EventLoop& loop_;
    int fd_;
    int count_ = 0;
};

}  // namespace sluice::posix
