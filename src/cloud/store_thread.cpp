#include "cloud/store_thread.hpp"

#include <spdlog/spdlog.h>

namespace sluice::cloud {

StoreThread::StoreThread(const env::Clock& clock, std::unique_ptr<SqliteStore> store)
    : loop_(clock, std::chrono::microseconds(0)), store_(std::move(store)), writer_(*store_), mailbox_(kMailboxSlots, loop_) {
    loop_.add_task(*this);
}

StoreThread::~StoreThread() { stop(); }

void StoreThread::start(posix::EventLoop& front) {
    front_ = &front;
    thread_ = std::thread([this] { loop_.run(); });
}

void StoreThread::stop() {
    if (!thread_.joinable()) return;
    stopping_.store(true);
    loop_.wake();
    thread_.join();
}

bool StoreThread::push(Delivery&& delivery) {
    const auto bytes = delivery.bytes();
    queued_bytes_.fetch_add(bytes, std::memory_order_relaxed);  // before the push: the other thread subtracts what it has written
    if (mailbox_.push(std::move(delivery))) return true;
    queued_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
}

void StoreThread::on_turn(base::Monotonic now) {
    Delivery delivery;
    while (group_bytes_ < kTransactionBytesMax && mailbox_.pop(delivery)) {
        group_bytes_ += delivery.bytes();
        group_.push_back(std::move(delivery));
    }
    const bool stopping = stopping_.load();
    if (!group_.empty() && (!retry_ || now >= *retry_ || stopping)) write(now);
    if (stopping && ((group_.empty() && mailbox_.empty()) || retry_)) loop_.stop();
}

std::optional<base::Monotonic> StoreThread::next_deadline() const {
    if (retry_) return stopping_.load() ? loop_.now() : *retry_;
    if (!mailbox_.empty() || stopping_.load()) return loop_.now();
    return std::nullopt;
}

void StoreThread::write(base::Monotonic now) {
    const auto written = writer_.write(group_);
    if (!written) {
        if (!retry_)
            spdlog::error(
                "the store cannot be written ({}; {}): nothing is acknowledged, gateways keep their events; trying again every second",
                base::describe(written.error()), store_->last_message());
        retry_ = now + kRetry;
        const std::lock_guard guard(view_lock_);
        ++view_.failures;
        view_.failing = true;
        return;
    }
    if (retry_) spdlog::info("the store can be written again");
    retry_.reset();
    report(*written);
    const auto last = group_.back().ticket;
    queued_bytes_.fetch_sub(group_bytes_, std::memory_order_relaxed);
    group_.clear();
    group_bytes_ = 0;
    durable_.store(last, std::memory_order_seq_cst);
    front_->wake();
}

void StoreThread::report(const ApplyCounts& counts) {
    if (counts.unexplained != 0)
        spdlog::error(
            "{} events are missing without a notice of their gateway: recorded as gaps with reason \"unexplained\"; please report this",
            counts.unexplained);
    if (counts.invalid_json != 0) spdlog::warn("{} events were no JSON objects: stored as {{\"_invalid\": text}}", counts.invalid_json);
    const std::lock_guard guard(view_lock_);
    view_.applied += counts;
    ++view_.transactions;
    view_.failing = false;
}

StoreView StoreThread::view() const {
    const std::lock_guard guard(view_lock_);
    auto view = view_;
    view.queued_bytes = queued_bytes();
    return view;
}

}  // namespace sluice::cloud
