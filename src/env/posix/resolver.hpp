// Looks host names up without blocking a loop: the system's resolver can take many seconds when the network is away.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "env/posix/event_loop.hpp"

namespace sluice::posix {

/// Used by one loop's thread; each look-up runs on a thread of its own and wakes the loop.
class Resolver {
public:
    explicit Resolver(EventLoop& loop) : loop_(loop) {}
    ~Resolver() { cancel(); }
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// Starts a look-up; one under way is forgotten.
    void start(const std::string& host);
    void cancel();
    /// The numeric addresses in the system's order of preference, at least one, or not_found: once, when they are there.
    [[nodiscard]] std::optional<base::Result<std::vector<std::string>>> take();
    /// Something to take: for next_deadline().
    [[nodiscard]] bool ready() const;

private:
    struct Job;
    EventLoop& loop_;
    std::shared_ptr<Job> job_;
};

}  // namespace sluice::posix
