// The backbone: one thread that makes events durable (the spool) and carries them to the clouds (the uplinks).
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "env/clock.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/mailbox.hpp"
#include "flow/spool/spool.hpp"
#include "flow/uplink/uplink.hpp"
#include "gateway/cloud_port.hpp"
#include "gateway/key_desk.hpp"
#include "gateway/mail.hpp"
#include "gateway/spool_sealer.hpp"
#include "gateway/state_journal.hpp"
#include "gateway/state_store.hpp"

namespace sluice::gateway {

struct UplinkView {
    std::string id;
    std::string url;
    uplink::Stats stats;
};

/// What the backbone tells the other threads: a copy, taken under a lock that no data path takes.
struct BackboneView {
    spool::Stats spool;
    std::vector<UplinkView> uplinks;  ///< in their order; `main`, if there is one, first
    JournalStats journal;
    LedgerTotals totals;  ///< over the life of the data directory
};

class Backbone final : public posix::TurnTask, private uplink::StatusSource {
public:
    /// A class of the spool that gets an event of some class: what one cloud gets.
    struct Stream {
        data::ClassIndex spool_class;
        std::size_t event_bytes_max = SIZE_MAX;  ///< of rule id and JSON: larger ones that cloud would never take
    };
    struct Options {
        /// An event waits at most so long for its commit while nobody waits for it: fewer, larger blocks.
        std::chrono::milliseconds commit_delay{20};
        /// And where somebody waits, for so long after the commit before: a fast disk would be synced thousands of times a second.
        std::chrono::milliseconds commit_spacing{0};
        std::vector<CloudPort::Options> clouds;
        std::vector<std::vector<Stream>> streams;  ///< by ClassIndex of an event
        std::vector<bool> urgent_classes;          ///< the same: shown on the live page as they come
    };
    /// The rules' state on disk: what the wiring has recovered, and what records the rest.
    struct RuleState {
        StateStore& store;
        std::unique_ptr<StateJournal> journal;  ///< nullptr: none is written and there was none
        bool recording = false;                 ///< it is written
        std::chrono::nanoseconds shift{0};      ///< from our clock to its time
        std::uint64_t replayed = 0;             ///< readings
    };
    /// What this thread seals with, and where it hears of other keys.
    struct Keys {
        KeyDesk& desk;
        SpoolSealer& spool;  ///< of the spool and the journal
        identity::DocumentSealer& state;
    };
    /// A shard as seen from here.
    struct ShardLink {
        posix::Mailbox<BackboneMail>* from = nullptr;
        ShardGauges* gauges = nullptr;
        posix::EventLoop* loop = nullptr;
    };
    /// Lost events by row of the table in backbone.cpp.
    using LossesTold = std::array<std::uint64_t, 4>;
    using OnAlert = std::function<void(const data::Event&)>;

    /// `on_alert` runs on this thread for each alert that was taken; it must be quick.
    Backbone(Options options, const env::Clock& clock, env::Entropy& entropy, std::unique_ptr<spool::Spool> spool, RuleState state,
             Keys keys, OnAlert on_alert);

    /// One entry a shard, before run().
    void wire(std::vector<ShardLink> shards) { shards_ = std::move(shards); }
    void run();
    /// Any thread; when the shards have ended: takes what they left, commits, says goodbye to the cloud, saves positions, ends.
    void stop();

    /// Any thread.
    [[nodiscard]] posix::EventLoop& loop() { return loop_; }
    [[nodiscard]] BackboneView view() const;

    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;

private:
    // uplink::StatusSource
    void append_ledger(base::Bytes& out) override;

    void take_mail(base::Monotonic now);
    void take_events(std::size_t shard, const EventBatch& batch, base::Monotonic now);
    void take_state(unsigned shard, const StateChunk& chunk, base::Monotonic now);
    void finish_checkpoint();
    void mind_journal();
    [[nodiscard]] std::uint64_t lost(base::DropReason reason) const;
    void report_losses(base::Monotonic now);
    void commit(base::Monotonic now);
    void acknowledge();
    void housekeeping(base::Monotonic now);
    // backbone_keys.cpp
    void take_keys(base::Monotonic now);
    void report_keys(base::Monotonic now);
    void update_view();
    [[nodiscard]] bool gone() const;
    [[nodiscard]] std::vector<UplinkView> uplink_views() const;
    [[nodiscard]] JournalStats journal_stats() const;
    [[nodiscard]] LedgerTotals totals() const;

    Options options_;
    const env::Clock& clock_;
    posix::EventLoop loop_;
    std::unique_ptr<spool::Spool> spool_;
    Keys keys_;
    std::uint64_t keys_seen_ = 0;    ///< edition
    base::Monotonic ask_save_at_{};  ///< of rule state, while it or the journal needs an older key
    StateStore& state_;
    RuleState rule_state_;
    OnAlert on_alert_;
    std::vector<std::unique_ptr<CloudPort>> clouds_;
    std::vector<ShardLink> shards_;

    std::vector<std::uint64_t> appended_turn_;  // by shard: appended to the spool, not yet committed
    bool uncommitted_ = false;
    bool urgent_ = false;
    bool failing_ = false;
    base::Monotonic losses_report_at_{};  ///< not before
    LossesTold losses_told_{};
    std::size_t uncommitted_bytes_ = 0;
    base::Monotonic commit_at_{};
    base::Monotonic commit_from_{};  ///< where somebody waits: not before
    base::Monotonic maintain_at_{};
    base::Monotonic save_totals_at_{};
    LedgerTotals base_totals_;
    std::vector<CheckpointHead> saving_heads_;    // by shard: of the save under way
    std::vector<std::uint64_t> saved_positions_;  // by shard: of the last save, 0: none in this run
    std::vector<std::uint64_t> saved_bytes_;      // by shard
    std::uint64_t checkpoints_ = 0;
    std::uint64_t journal_bytes_at_checkpoint_ = 0;  // written until then
    std::uint64_t journal_lost_ = 0;
    bool state_failed_ = false;

    std::atomic<bool> stopping_{false};
    bool saying_goodbye_ = false;
    base::Monotonic give_up_at_{};
    bool view_stale_ = true;
    mutable std::mutex view_lock_;
    BackboneView view_;
};

}  // namespace sluice::gateway
