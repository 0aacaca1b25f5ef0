#include "gateway/journal_writer.hpp"

#include <csignal>

namespace sluice::gateway {

JournalWriter::~JournalWriter() {
    {
        const std::lock_guard guard(lock_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void JournalWriter::begin() {
    {
        const std::lock_guard guard(lock_);
        done_.reset();
        wanted_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) return;
    // Signals are for the main thread: a new one inherits a mask without them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

base::Status JournalWriter::wait() {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [this] { return done_.has_value(); });
    return *done_;
}

void JournalWriter::run() {
    std::unique_lock guard(lock_);
    while (true) {
        changed_.wait(guard, [this] { return wanted_ || stopping_; });
        if (!wanted_) return;
        wanted_ = false;
        guard.unlock();
        base::Status done = journal_.write();
        guard.lock();
        done_ = std::move(done);
        changed_.notify_all();
    }
}

}  // namespace sluice::gateway
