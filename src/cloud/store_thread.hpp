// The thread that owns the database: takes deliveries, commits them in groups, says what is durable.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cloud/sqlite_store.hpp"
#include "cloud/store_writer.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/mailbox.hpp"

namespace sluice::cloud {

struct StoreView {
    ApplyCounts applied;
    std::uint64_t transactions = 0;
    std::uint64_t failures = 0;    ///< transactions that were rolled back; they are tried again
    bool failing = false;          ///< the last one failed: nothing is acknowledged
    std::size_t queued_bytes = 0;  ///< decoded, not yet committed
};

/// Made, fed and stopped by the front's thread; the database is used by its own.
class StoreThread final : private posix::TurnTask {
public:
    StoreThread(const env::Clock& clock, std::unique_ptr<SqliteStore> store);
    ~StoreThread() override;
    StoreThread(const StoreThread&) = delete;
    StoreThread& operator=(const StoreThread&) = delete;

    /// `front` is woken when something has become durable.
    void start(posix::EventLoop& front);
    /// Any thread: writes what was pushed, then ends. What cannot be written is dropped: nobody was told that it is safe.
    void stop();

    /// The front's thread. False: full, the delivery is untouched; try again next turn.
    [[nodiscard]] bool push(Delivery&& delivery);
    /// Everything up to this ticket is stored. Any thread.
    [[nodiscard]] std::uint64_t durable() const { return durable_.load(std::memory_order_seq_cst); }
    [[nodiscard]] std::size_t queued_bytes() const { return queued_bytes_.load(std::memory_order_relaxed); }
    [[nodiscard]] StoreView view() const;

private:
    static constexpr std::size_t kMailboxSlots = 4096;
    /// One transaction: large enough that its sync costs little per event, small enough that the first of them need not wait long.
    static constexpr std::size_t kTransactionBytesMax = 8 * 1024 * 1024;
    static constexpr std::chrono::seconds kRetry{1};

    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;
    void write(base::Monotonic now);
    void report(const ApplyCounts& counts);

    posix::EventLoop loop_;
    posix::EventLoop* front_ = nullptr;
    std::unique_ptr<SqliteStore> store_;
    StoreWriter writer_;
    posix::Mailbox<Delivery> mailbox_;
    std::vector<Delivery> group_;  // taken, not yet committed
    std::size_t group_bytes_ = 0;
    std::optional<base::Monotonic> retry_;
    std::atomic<std::uint64_t> durable_{0};
    std::atomic<std::size_t> queued_bytes_{0};
    std::atomic<bool> stopping_{false};
    mutable std::mutex view_lock_;  // taken once a transaction, and by the API
    StoreView view_;
    std::thread thread_;
};

}  // namespace sluice::cloud
