// One thread that makes sessions and retained messages durable: group commits of what the shards' hubs recorded.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "env/clock.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/mailbox.hpp"
#include "gateway/key_desk.hpp"
#include "gateway/mail.hpp"
#include "gateway/session_changes.hpp"
#include "gateway/session_database.hpp"
#include "gateway/session_gauges.hpp"

namespace sluice::gateway {

/// Made and wired on the main thread; from run() on its own thread's. While the disk refuses, changes gather (SessionChanges says why that
/// is bounded), publishes that wait for them are not acknowledged, and the commit is tried again.
class SessionThread final : public posix::TurnTask {
public:
    /// A shard as seen from here.
    struct ShardLink {
        posix::Mailbox<SessionMail>* from = nullptr;
        ShardGauges* gauges = nullptr;
        posix::EventLoop* loop = nullptr;
    };
    /// `commit_delay`: what nobody waits for is written at most so late, in fewer and larger commits.
    SessionThread(const env::Clock& clock, std::unique_ptr<SessionDatabase> database, std::chrono::milliseconds commit_delay);

    /// Before run(): what the start itself changed. Errors as SessionDatabase::write(); the changes stay and are tried again by run().
    base::Status start_with(base::ByteView changes, const std::vector<hub::KeptId>& remains);
    /// One entry a shard, before run().
    void wire(std::vector<ShardLink> shards);
    /// Takes over other master keys and reports what needs older ones. Before run().
    void watch_keys(KeyDesk& desk) { desk_ = &desk; }
    void run() { loop_.run(); }
    /// Any thread; when the shards have ended: takes what they left, commits, ends.
    void stop();

    /// Any thread.
    [[nodiscard]] posix::EventLoop& loop() { return loop_; }
    [[nodiscard]] SessionGauges& gauges() { return gauges_; }

    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;

private:
    void take_mail(base::Monotonic now);
    void commit(base::Monotonic now);
    base::Status write();
    void announce();
    void tend_keys(base::Monotonic now);

    posix::EventLoop loop_;
    std::unique_ptr<SessionDatabase> database_;
    std::chrono::milliseconds commit_delay_;
    std::vector<ShardLink> shards_;
    SessionGauges gauges_;
    SessionChanges changes_;
    std::vector<std::uint64_t> taken_turn_;   // by shard
    std::vector<std::uint64_t> taken_bytes_;  // by shard: absorbed since the last commit
    bool waiting_ = false;                    // something was taken since the last commit
    bool urgent_ = false;
    bool failing_ = false;
    base::Monotonic commit_at_{};
    base::Monotonic age_at_{};
    KeyDesk* desk_ = nullptr;
    std::uint64_t keys_seen_ = 0;  // edition
    bool resealing_ = false;
    base::Monotonic reseal_at_{};
    std::atomic<bool> stopping_{false};
    bool stopped_ = false;
};

}  // namespace sluice::gateway
