#include "env/posix/signal_watch.hpp"

#include <csignal>

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/check.hpp"

namespace sluice::posix {
namespace {

sigset_t watched() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

}  // namespace

SignalWatch::SignalWatch(EventLoop& loop) : loop_(loop) {
    const sigset_t set = watched();
    base::check(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0, "signals: cannot block SIGINT");
    fd_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    base::check(fd_ >= 0, "signals: no file descriptors left at start");
    loop_.watch(fd_, EPOLLIN, *this, 0);
}

SignalWatch::~SignalWatch() {
    loop_.unwatch(fd_);
    ::close(fd_);
    const sigset_t set = watched();
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void SignalWatch::on_ready(std::uint32_t, std::uint64_t) {
    signalfd_siginfo info;
    while (::read(fd_, &info, sizeof info) == sizeof info) ++count_;
}

}  // namespace sluice::posix
