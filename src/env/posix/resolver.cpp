#include "env/posix/resolver.hpp"

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include <netdb.h>
#include <sys/socket.h>

namespace sluice::posix {

/// Shared by the loop and the look-up's thread, which may outlive the resolver.
struct Resolver::Job {
    std::atomic<bool> done{false};
    std::mutex lock;  // guards wake: the loop may go while a look-up is under way
    EventLoop* wake = nullptr;
    base::Result<std::vector<std::string>> result{base::Error{base::Errc::not_found}};
};

void Resolver::start(const std::string& host) {
    cancel();
    auto job = std::make_shared<Job>();
    job->wake = &loop_;
    job_ = job;
    std::thread([job, host] {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) == 0) {
            std::vector<std::string> addresses;
            char text[NI_MAXHOST];
            for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
                if (::getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
                    addresses.emplace_back(text);
            }
            ::freeaddrinfo(found);
            if (!addresses.empty()) job->result = std::move(addresses);
        }
        const std::lock_guard guard(job->lock);
        job->done.store(true, std::memory_order_seq_cst);
        if (job->wake != nullptr) job->wake->wake();
    }).detach();
}

void Resolver::cancel() {
    const auto job = std::exchange(job_, nullptr);  // lives until after the lock is released
    if (job == nullptr) return;
    const std::lock_guard guard(job->lock);
    job->wake = nullptr;
}

bool Resolver::ready() const { return job_ != nullptr && job_->done.load(std::memory_order_seq_cst); }

std::optional<base::Result<std::vector<std::string>>> Resolver::take() {
    if (!ready()) return std::nullopt;
    auto result = std::move(job_->result);
    cancel();
    return result;
}

}  // namespace sluice::posix
