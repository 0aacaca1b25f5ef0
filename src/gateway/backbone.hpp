// The backbone: one thread that makes events durable (the spool) and carries them to the cloud (the uplink).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "env/clock.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/mailbox.hpp"
#include "env/posix/resolver.hpp"
#include "env/posix/tcp.hpp"
#include "flow/spool/spool.hpp"
#include "flow/uplink/uplink.hpp"
#include "gateway/mail.hpp"
#include "gateway/spool_source.hpp"
#include "gateway/state_store.hpp"

namespace sluice::gateway {

/// What the backbone tells the other threads: a copy, taken under a lock that no data path takes.
struct BackboneView {
    spool::Stats spool;
    uplink::Stats uplink;
    LedgerTotals totals;  ///< over the life of the data directory
};

class Backbone final : public posix::TurnTask, private posix::TcpHandler, private uplink::Transport, private uplink::StatusSource {
public:
    struct Options {
        /// An event waits at most so long for its commit while nobody waits for it: fewer, larger blocks.
        std::chrono::milliseconds commit_delay{20};
        bool has_uplink = false;
        std::string host;
        std::uint16_t port = 0;
        uplink::Options uplink;
        std::vector<bool> urgent_classes;  ///< by ClassIndex: shown on the live page as they come
    };
    /// A shard as seen from here.
    struct ShardLink {
        posix::Mailbox<BackboneMail>* from = nullptr;
        ShardGauges* gauges = nullptr;
        posix::EventLoop* loop = nullptr;
    };
    using OnAlert = std::function<void(const data::Event&)>;

    /// `on_alert` runs on this thread for each alert that was taken; it must be quick.
    Backbone(Options options, const env::Clock& clock, env::Entropy& entropy, std::unique_ptr<spool::Spool> spool, StateStore& state,
             OnAlert on_alert);

    /// One entry a shard, before run().
    void wire(std::vector<ShardLink> shards) { shards_ = std::move(shards); }
    void run();
    /// Any thread; when the shards have ended: takes what they left, commits, says goodbye to the cloud, saves positions, ends.
    void stop();

    /// Any thread.
    [[nodiscard]] posix::EventLoop& loop() { return loop_; }
    [[nodiscard]] BackboneView view() const;
    [[nodiscard]] bool has_uplink() const { return options_.has_uplink; }

    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;

private:
    // posix::TcpHandler
    void on_open(posix::TcpId id, const posix::PeerAddress& peer) override;
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override;
    void on_closed(posix::TcpId id, const base::Error& why) override;
    // uplink::Transport
    void open() override;
    void send(base::ByteView bytes) override;
    void close(bool flush) override;
    // uplink::StatusSource
    void append_ledger(base::Bytes& out) override;

    void take_mail(base::Monotonic now);
    void take_events(std::size_t shard, const EventBatch& batch, base::Monotonic now);
    void take_state(unsigned shard, const StateChunk& chunk);
    void commit(base::Monotonic now);
    void finish_lookup(base::Monotonic now);
    bool connect_next();
    void housekeeping(base::Monotonic now);
    void report_uplink(base::Monotonic now);
    void update_view();
    [[nodiscard]] LedgerTotals totals() const;

    Options options_;
    const env::Clock& clock_;
    posix::EventLoop loop_;
    std::unique_ptr<spool::Spool> spool_;
    StateStore& state_;
    OnAlert on_alert_;
    SpoolSource source_;
    posix::TcpConnections tcp_;
    posix::Resolver resolver_;
    uplink::Uplink uplink_;
    std::vector<ShardLink> shards_;

    std::vector<std::uint64_t> appended_turn_;  // by shard: appended to the spool, not yet committed
    bool uncommitted_ = false;
    bool urgent_ = false;
    bool failing_ = false;
    std::size_t uncommitted_bytes_ = 0;
    base::Monotonic commit_at_{};
    base::Monotonic maintain_at_{};
    base::Monotonic save_totals_at_{};
    LedgerTotals base_totals_;
    std::vector<bool> saved_shards_;
    bool state_failed_ = false;
    bool uplink_up_ = false;
    std::uint64_t uplink_failures_ = 0;
    base::Monotonic uplink_reported_at_{};

    posix::TcpId connection_ = 0;
    std::vector<std::string> addresses_;  // of the cloud, still to be tried in this attempt

    std::atomic<bool> stopping_{false};
    bool saying_goodbye_ = false;
    base::Monotonic give_up_at_{};
    bool view_stale_ = true;
    mutable std::mutex view_lock_;
    BackboneView view_;
};

}  // namespace sluice::gateway
