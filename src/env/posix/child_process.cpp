#include "env/posix/child_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sluice::posix {
namespace {

/// Only calls that are safe between fork and exec. Tells the parent why through the pipe; its end closes by itself when exec succeeds.
[[noreturn]] void become(const ChildProcess::Options& options, const std::vector<char*>& arguments, pid_t parent, int pipe) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);  // the parent ended before prctl
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(each, SIG_DFL);
    // Ctrl-C in a terminal reaches the whole foreground group; the parent alone decides when its children end.
    ::setpgid(0, 0);
    const char* log = options.log_file.empty() ? "/dev/null" : options.log_file.c_str();
    const int out = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int in = ::open("/dev/null", O_RDONLY);
    if (out >= 0 && in >= 0) {
        ::dup2(in, STDIN_FILENO);
        ::dup2(out, STDOUT_FILENO);
        ::dup2(out, STDERR_FILENO);
        ::execvp(options.program.c_str(), arguments.data());
    }
    const int why = errno;
    (void)!::write(pipe, &why, sizeof why);  // nobody left to tell
    ::_exit(127);
}

}  // namespace

base::Result<ChildProcess> ChildProcess::start(const Options& options) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return base::from_errno(errno);
    std::vector<char*> arguments;
    arguments.push_back(const_cast<char*>(options.program.c_str()));  // execvp's signature; it does not write
    for (const std::string& argument : options.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t process = ::fork();
    if (process == 0) become(options, arguments, parent, pipe[1]);
    const int fork_error = errno;
    ::close(pipe[1]);
    int why = 0;
    ssize_t count = 0;
    if (process > 0) {
        do count = ::read(pipe[0], &why, sizeof why);
        while (count < 0 && errno == EINTR);
    }
    ::close(pipe[0]);
    if (process < 0) return base::from_errno(fork_error);
    if (count == sizeof why) {
        ::waitpid(process, nullptr, 0);
        return base::from_errno(why);
    }
    // Not pidfd_open(): glibc 2.36 declares it without extern "C". Without a handle (a very old kernel) stop() just does not wait.
    return ChildProcess(process, static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept { *this = std::move(other); }

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
    if (this == &other) return *this;
    forget();
    process_ = std::exchange(other.process_, -1);
    handle_ = std::exchange(other.handle_, -1);
    exit_code_ = std::exchange(other.exit_code_, std::nullopt);
    return *this;
}

ChildProcess::~ChildProcess() { forget(); }

void ChildProcess::forget() {
    if (process_ > 0 && !exit_code()) stop(kStopWait);
    if (handle_ >= 0) ::close(handle_);
    process_ = -1;
    handle_ = -1;
}

std::optional<int> ChildProcess::exit_code() {
    if (exit_code_ || process_ <= 0) return exit_code_;
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) != process_) return std::nullopt;
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return exit_code_;
}

int ChildProcess::stop(std::chrono::milliseconds at_most) {
    if (const auto code = exit_code()) return *code;
    ::kill(process_, SIGTERM);
    pollfd ended{.fd = handle_, .events = POLLIN, .revents = 0};
    if (handle_ >= 0) {
        while (::poll(&ended, 1, static_cast<int>(at_most.count())) < 0 && errno == EINTR) {
        }
    }
    if (const auto code = exit_code()) return *code;
    kill();
    return *exit_code_;
}

void ChildProcess::kill() {
    if (process_ <= 0 || exit_code()) return;
    ::kill(process_, SIGKILL);
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace sluice::posix
