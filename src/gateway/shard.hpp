// One shard: a thread with an event loop, its connections, its part of the hub and of the rules' state.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "env/clock.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/mailbox.hpp"
#include "env/posix/tcp.hpp"
#include "flow/hub/hub.hpp"
#include "flow/hub/saved_state.hpp"
#include "flow/router/router.hpp"
#include "flow/rules/engine.hpp"
#include "gateway/client_desk.hpp"
#include "gateway/doorkeeper.hpp"
#include "gateway/mail.hpp"
#include "gateway/rule_query.hpp"
#include "gateway/sys_topics.hpp"
#include "gateway/turn_journal.hpp"
#include "gateway/turn_ledger.hpp"

namespace sluice::gateway {

class BridgeBoard;
class TableWatch;
struct BridgeGauges;

/// Made and wired by wiring.cpp on the main thread; from start on used by its own thread only, but for the parts marked "any thread".
class Shard final : public posix::TcpHandler,
                    public posix::TurnTask,
                    private hub::Port,
                    private hub::Journal,
                    private rules::Output,
                    private router::Sink,
                    private DoorkeeperPort {
public:
    struct Options {
        data::ShardIndex index{0};
        std::uint16_t shards = 1;
        std::chrono::microseconds nap{0};
        hub::Limits hub;
        rules::Engine::Options rules;
        std::vector<bool> encrypted_listeners;  ///< by listener: TLS
        std::uint64_t seed = 0;
        std::string gateway;               ///< its id
        std::vector<bool> urgent_classes;  ///< by ClassIndex: an event of this class asks for a commit at once
        std::chrono::milliseconds save_interval{std::chrono::minutes(5)};
        bool journal = false;                       ///< readings that are acknowledged and move the state of rules are recorded
        std::chrono::milliseconds sys_interval{0};  ///< of $SYS topics; 0: this shard publishes none
    };
    /// Where mail goes; filled by the wiring before the thread starts. `peers[own index]` is null.
    struct Links {
        std::vector<posix::Mailbox<ShardMail>*> to_peers;
        std::vector<posix::Mailbox<ShardMail>*> from_peers;
        posix::Mailbox<BackboneMail>* to_backbone = nullptr;
        posix::Mailbox<SessionMail>* to_sessions = nullptr;
        posix::Mailbox<Command>* commands = nullptr;
        ClientQueryBox* questions = nullptr;  ///< of the API
        RuleQueryBox* rule_questions = nullptr;
        std::atomic<std::uint32_t>* connections = nullptr;
        BridgeBoard* bridges = nullptr;
        const TableWatch* tables = nullptr;
        std::vector<const ShardGauges*> peer_gauges;
    };

    Shard(const Options& options, const env::Clock& clock, std::shared_ptr<const Ruleset> rules);

    /// Before run() and restore(), instead of those it was made with.
    void use_rules(std::shared_ptr<const Ruleset> rules);
    void wire(Links links) {
        links_ = std::move(links);
        desk_.wire(*links_.questions);
    }
    /// Before run(), and afterwards by Command::Kind::swap_access.
    void use_access(ShardAccess access);
    /// Before run(): for recover_state().
    [[nodiscard]] rules::Engine& engine() { return *engine_; }
    /// Before run(), after that. `save_soon`: there is a journal that a checkpoint makes superfluous.
    void go_on_from(std::chrono::nanoseconds shift, bool save_soon);
    /// Before run(): those sessions that belong here, all retained messages.
    void restore_sessions(const hub::JournalStart& start, const hub::SavedState& saved);
    /// Before run(), when all shards have restored: tells the others what is wanted here, appends what the hub recorded.
    void settle_restored(std::span<const std::unique_ptr<Shard>> all, base::Bytes& changes);
    void run() { loop_.run(); }

    /// Any thread.
    [[nodiscard]] posix::EventLoop& loop() { return loop_; }
    [[nodiscard]] ShardGauges& gauges() { return gauges_; }

    /// A connection was accepted on this shard's loop.
    void adopt(posix::DetachedConnection&& connection, std::uint16_t listener);
    /// The same, but its handshake takes CPU time: it goes to whichever shard's turn it is, and from there to that of its client id.
    void adopt_somewhere(posix::DetachedConnection&& connection, std::uint16_t listener);

    void on_open(posix::TcpId id, const posix::PeerAddress& peer) override;
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override;
    void on_layer(posix::TcpId id, const posix::StreamLayer& layer, std::string_view failure) override;
    void on_closed(posix::TcpId id, const base::Error& why) override;
    void on_released() override;
    void on_bytes_soon(posix::TcpId id) const override { hub_.on_bytes_soon(hub::ConnectionId(id)); }
    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;

private:
    /// Marks the number of a batch or fence that was sent on while answering another shard's.
    static constexpr std::uint64_t kNestedBit = std::uint64_t{1} << 63;
    enum class Phase : std::uint8_t { running, quiescing, quiet, saying_goodbye, saving, ended };
    /// An answer to a ForwardBatch that waits until what the batch caused is durable: our own events, and those of readings that rules
    /// made of it for other shards. Never for more than that: shards that waited for each other's whole turns could wait in a circle.
    struct Owed {
        data::ShardIndex to;
        std::uint64_t their_turn;
        std::uint64_t our_turn;         ///< 0: no events of our own
        std::uint64_t our_records = 0;  ///< turn; 0: none
        unsigned nested = 0;            ///< batches sent on to other shards, not yet answered
        std::uint64_t nested_id = 0;
    };

    // hub::Port
    base::Bytes* output(hub::ConnectionId to) override { return tcp_.output(to.value()); }
    [[nodiscard]] std::size_t queued_bytes(hub::ConnectionId of) const override { return tcp_.queued_bytes(of.value()); }
    void close(hub::ConnectionId connection) override { tcp_.close(connection.value()); }
    [[nodiscard]] std::string_view certificate_name(hub::ConnectionId of) const override;
    void hold_input(hub::ConnectionId of, bool hold) override;
    [[nodiscard]] std::size_t buffer_bytes() const override {
        return tcp_.memory() + gauges_.session_bytes.load(std::memory_order_relaxed);
    }
    [[nodiscard]] hub::Elsewhere elsewhere() const override;
    hub::Ticket accept(const data::Reading& reading, bool acknowledged) override;
    bool to_shard(data::ShardIndex shard, hub::ShardMessage&& message) override;
    // hub::Journal
    [[nodiscard]] hub::Ticket ticket() override { return turns_.current(); }
    void take(base::Bytes&& changes, bool awaited, unsigned fences) override;
    std::uint64_t owe(data::ShardIndex to, std::uint64_t number, bool recorded, unsigned nested) override;
    [[nodiscard]] bool behind() const override;
    // rules::Output
    void emit(const rules::OutputRow& row) override;
    void forward(data::ShardIndex owner, rules::PartitionMask partitions, const data::Reading& reading) override;
    // router::Sink
    void publish(std::string_view topic, base::ByteView payload) override;
    void spool(const data::Event& event) override;
    // DoorkeeperPort
    [[nodiscard]] access::SourceAddress source_of(hub::ConnectionId connection) const override;
    bool submit(access::SignIn&& sign_in) override;

    [[nodiscard]] hub::Peer hub_peer(std::uint16_t listener, const posix::PeerAddress& peer) const;
    void evaluate(const data::Reading& reading, rules::PartitionMask partitions, std::uint32_t depth);
    void run_rules(const data::Reading& reading, rules::PartitionMask partitions);
    void evaluate_derived();
    void take_mail(base::Monotonic now);
    void take_sign_ins();
    void take_forwarded(const ForwardBatch& batch);
    void take_done(std::uint64_t turn);
    unsigned send_forwards(std::uint64_t turn, bool awaited);
    void settle();
    void record_closed();
    void send_batches();
    void drain_outboxes();
    void control(base::Monotonic now);
    void take_command(Command&& command, base::Monotonic now);
    void swap_rules(std::shared_ptr<const Ruleset> rules, base::Monotonic now);
    void keep_counters(const Ruleset& next);
    void answer_about_rules();
    void publish_rule_gauges();
    void tell_full(const rules::RuleCounters& all);
    void take_held();
    void take_over(Handover&& handover);
    /// This shard has said that nothing of it is under way, and has not got the new rules yet.
    [[nodiscard]] bool between_rules() const { return phase_ == Phase::quiet && !stopping_; }
    void save_slice(base::Monotonic now);
    void update_pause();
    void present_released();
    void mind_memory(base::Monotonic now);
    void set_limits(const ShardLimits& limits);
    void take_tables();
    [[nodiscard]] bool tables_wait() const;
    void take_bridges();
    [[nodiscard]] bool bridges_wait() const;
    void publish_bridge_gauges();
    void publish_bridge_states(base::Monotonic now);
    void publish_sys(base::Monotonic now);
    void publish_gauges();
    [[nodiscard]] base::WallTime wall();
    [[nodiscard]] bool outboxes_empty() const;
    [[nodiscard]] std::size_t own_bytes() const { return events_.size() + journal_.bytes(); }
    [[nodiscard]] bool peers_quiet() const;

    Options options_;
    const env::Clock& clock_;
    posix::EventLoop loop_;
    std::shared_ptr<const Ruleset> rules_;
    std::unique_ptr<rules::Engine> engine_;
    router::Router router_;
    std::vector<rules::RuleCounters> counted_before_;  // by rule: under earlier plans
    rules::RuleCounters counted_gone_;                 // by rules that there are no more
    rules::EngineCounters engine_before_;              // by earlier engines
    rules::RuleCounters full_told_;                    // readings turned away and keys forgotten, when the log last named rules
    std::vector<rules::RuleCounters> full_before_;     // the same, by rule of this engine
    base::Monotonic tell_full_at_{};
    Doorkeeper doorkeeper_;
    ShardAccess access_;
    hub::Hub hub_;
    posix::TcpConnections tcp_;
    ClientDesk desk_;
    Links links_;
    ShardGauges gauges_;
    TurnLedger turns_;

    std::vector<std::uint8_t> placed_;           // by connection slot: its client belongs here
    std::vector<std::uint16_t> listener_;        // by connection slot
    std::vector<access::SourceAddress> source_;  // by connection slot
    std::uint16_t adopting_listener_ = 0;
    bool adopting_placed_ = false;
    std::uint16_t handshakes_to_ = 0;  // the shard that does the next handshake

    std::vector<posix::TcpId> released_;  // to be read again: first what they left unconsumed
    bool paused_ = false;                 // no socket is read
    base::Monotonic next_shed_{};

    // What the turn under way produced
    base::Bytes events_;
    TurnJournal journal_;
    bool recording_ = false;         // the reading under way is to be recorded
    std::uint64_t closed_seen_ = 0;  // windows of the engine that have closed, as the journal knows
    bool events_urgent_ = false;
    bool awaited_ = false;
    std::vector<base::Bytes> forwards_;  // by shard
    unsigned forwards_used_ = 0;
    base::Bytes records_;
    bool records_awaited_ = false;
    unsigned fences_ = 0;
    std::uint64_t produced_ = 0;  // events and forwards of this turn, to see which reading caused some
    base::Bytes derived_;         // what rules published, for other rules to read
    std::uint32_t depth_ = 0;
    std::uint32_t derived_count_ = 0;
    const data::Reading* cause_ = nullptr;

    // What did not fit a mailbox yet
    std::deque<BackboneMail> backbone_outbox_;
    std::size_t backbone_outbox_bytes_ = 0;
    std::deque<SessionMail> session_outbox_;
    std::size_t session_outbox_bytes_ = 0;
    std::vector<std::deque<ShardMail>> peer_outboxes_;
    std::deque<Owed> owed_;
    std::uint64_t nested_ids_ = 0;

    base::Monotonic now_{};
    base::WallTime wall_{};
    base::Monotonic wall_of_ = base::Monotonic::min();  ///< the moment of wall_
    bool turn_again_ = false;                           ///< the next turn comes at once
    std::uint64_t durable_seen_ = 0;
    std::uint64_t session_seen_ = 0;
    std::uint64_t readings_seen_ = 0;

    Phase phase_ = Phase::running;
    bool stopping_ = false;
    base::Bytes held_wills_;                // readings that came between two versions of the rules: of clients that were lost
    std::vector<Handover> held_handovers_;  // and connections, whose bytes are not read before
    base::Monotonic give_up_at_{};
    base::Monotonic next_save_{};
    base::Monotonic next_sys_{};
    std::optional<SysTopics> sys_;
    std::uint64_t tables_edition_ = 0;  // 0: the engine has what it was made with
    std::uint64_t bridges_edition_ = 0;
    std::vector<std::pair<std::string, std::shared_ptr<BridgeGauges>>> bridges_;  // whose sessions are here, by client id
    std::uint64_t bridge_states_edition_ = 0;
    std::map<std::string, char> bridge_states_;  // as published
    rules::SaveCursor save_cursor_;
    bool saving_ = false;
    bool save_whole_ = false;  // in one go: nothing may come between new rules and their first checkpoint
    base::Monotonic rule_gauges_at_{};
};

}  // namespace sluice::gateway
