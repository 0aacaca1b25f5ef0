// A program of ours (or a peer in a measurement) as a child process that never outlives us.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/error.hpp"

namespace sluice::posix {

/// One thread. The kernel sends the child SIGTERM when the thread that started it ends, however it ends.
class ChildProcess {
public:
    struct Options {
        std::string program;                 ///< path; looked up in PATH when it has no '/'
        std::vector<std::string> arguments;  ///< without the program's own name
        std::string log_file;                ///< stdout and stderr are appended to it; empty: /dev/null
    };
    /// Signals are unblocked in the child and have their default meaning there. Errors: not_found, permission, limit, io.
    static base::Result<ChildProcess> start(const Options& options);

    ChildProcess(ChildProcess&& other) noexcept;
    ChildProcess& operator=(ChildProcess&& other) noexcept;
    /// Stops the child: stop(kStopWait).
    ~ChildProcess();

    [[nodiscard]] pid_t id() const { return process_; }
    /// Exit code once it has ended (128 + signal when a signal ended it), nothing while it runs. Does not wait.
    [[nodiscard]] std::optional<int> exit_code();
    /// Asks it to end (SIGTERM), waits at most this long, then ends it (SIGKILL). Returns its exit code.
    int stop(std::chrono::milliseconds at_most);
    /// SIGKILL, at once: what a power cut looks like to its files.
    void kill();

    static constexpr std::chrono::milliseconds kStopWait{10'000};

private:
    explicit ChildProcess(pid_t process, int handle) : process_(process), handle_(handle) {}
    void forget();
    pid_t process_ = -1;
    int handle_ = -1;  // pidfd: tells when the child ends
    std::optional<int> exit_code_;
};

}  // namespace sluice::posix
