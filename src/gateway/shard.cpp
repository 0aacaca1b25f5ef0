#include "gateway/shard.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "base/check.hpp"
#include "codec/json/writer.hpp"
#include "env/posix/process_memory.hpp"
#include "gateway/event_batch.hpp"
#include "gateway/reading_batch.hpp"

namespace sluice::gateway {
namespace {

/// A rule's output can be another rule's input; a chain longer than this is taken for a loop and cut, counted as `loops`.
constexpr std::uint32_t kRuleChainMax = 8;
/// Rules that feed several rules that feed several: what one reading may cause in all. More is cut and counted as `loops`, too.
constexpr std::uint32_t kDerivedMax = 1024;
/// Waiting for the spool or for another shard: from here sockets are not read, so that publishers feel it.
constexpr std::size_t kBackboneOutboxBytesMax = 4 * 1024 * 1024;
constexpr std::size_t kSessionOutboxBytesMax = 4 * 1024 * 1024;
constexpr std::size_t kPeerOutboxMax = 64;
/// Taken from each other shard in one turn, about: what it has gathered under load could stop us for longer than our own clients may wait.
constexpr std::size_t kMailBytesPerTurn = 64 * 1024;
constexpr std::size_t kHandoverBytes = 1024;  // what letting a connection in counts as
constexpr std::size_t kTurnRunsMax = 64 * 1024;
/// Serialising this much state takes well under a millisecond of a shard's time.
constexpr std::size_t kSaveSliceBytes = 64 * 1024;
constexpr std::chrono::milliseconds kGoodbyeMax{2000};
constexpr std::chrono::milliseconds kRuleGaugesEvery{100};

/// The columns of a rule's row as the router wants them.
class RowColumns final : public router::Columns {
public:
    explicit RowColumns(std::span<const json::Value> values) : values_(values) {}
    void append_text(std::size_t index, base::Bytes& to) const override { json::append_plain(to, values_[index]); }

private:
    std::span<const json::Value> values_;
};

std::size_t size_of(const BackboneMail& mail) {
    if (const auto* events = std::get_if<EventBatch>(&mail)) {
        std::size_t bytes = events->events.size();
        for (const base::Bytes& record : events->state) bytes += record.size();
        return bytes;
    }
    if (const auto* chunk = std::get_if<StateChunk>(&mail)) return chunk->bytes.size();
    return 0;
}

void add_to(SysTotals& totals, const ShardGauges& gauges) {
    using hub::Counters;
    const auto hub = [&gauges](std::uint64_t Counters::*which) { return gauges.hub_counter(which); };
    totals.clients_connected += hub(&Counters::connections);
    totals.clients_total += hub(&Counters::sessions);
    totals.clients_expired += hub(&Counters::sessions_expired);
    // Two gauges of another thread are not of one moment.
    const std::uint64_t shared = std::min(hub(&Counters::shared_subscriptions), hub(&Counters::subscriptions));
    totals.subscriptions += hub(&Counters::subscriptions) - shared;
    totals.shared_subscriptions += shared;
    totals.retained = std::max(totals.retained, hub(&Counters::retained_messages));  // each shard has all of them
    totals.stored += hub(&Counters::messages_waiting);
    totals.stored_bytes += hub(&Counters::waiting_bytes);
    totals.messages_received += hub(&Counters::packets_in);
    totals.messages_sent += hub(&Counters::packets_out);
    totals.publish_received += hub(&Counters::readings_in);
    totals.publish_sent += hub(&Counters::delivered) + hub(&Counters::redelivered);
    totals.publish_dropped += hub(&Counters::dropped_queue_full) + hub(&Counters::dropped_expired) + hub(&Counters::dropped_too_large) +
                              hub(&Counters::dropped_shard_backlog) + hub(&Counters::dropped_session_end);
    totals.publish_bytes_received += hub(&Counters::bytes_in);
    totals.publish_bytes_sent += hub(&Counters::bytes_out);
    totals.bytes_received += gauges.bytes_read.load(std::memory_order_relaxed);
    totals.bytes_sent += gauges.bytes_written.load(std::memory_order_relaxed);
    totals.sockets += hub(&Counters::connections_opened);
    totals.connections += hub(&Counters::connections_accepted);
}

hub::Options hub_options(const Shard::Options& options, hub::Authenticator& names) {
    hub::Options out;
    out.names = &names;
    out.shard = options.index;
    out.shards = options.shards;
    out.limits = options.hub;
    out.seed = options.seed;
    out.gateway = options.gateway;
    return out;
}

}  // namespace

Shard::Shard(const Options& options, const env::Clock& clock, std::shared_ptr<const Ruleset> rules)
    : options_(options),
      clock_(clock),
      loop_(clock, options.nap),
      rules_(std::move(rules)),
      engine_(std::make_unique<rules::Engine>(rules_->plan, options.rules)),
      router_(rules_->routes),
      doorkeeper_(*this),
      hub_(hub_options(options, doorkeeper_), *this),
      tcp_(loop_, *this),
      desk_(hub_, tcp_, options.index.value()),
      journal_({.shard = options.index.value(), .shards = options.shards}),
      forwards_(options.shards),
      peer_outboxes_(options.shards) {
    loop_.add_task(*this);
    loop_.add_task(tcp_);
    now_ = clock.now();
    next_save_ = now_ + options_.save_interval;
    next_sys_ = now_;
    if (options_.sys_interval.count() != 0) sys_.emplace("sluice " SLUICE_VERSION, now_);
}

void Shard::go_on_from(std::chrono::nanoseconds shift, bool save_soon) {
    journal_.use_shift(shift);
    closed_seen_ = engine_->windows_closed();
    if (save_soon) next_save_ = now_;
}

base::WallTime Shard::wall() {
    if (wall_of_ != now_) {
        wall_ = clock_.wall().time - (clock_.now() - now_);  // of that moment, not of this
        wall_of_ = now_;
    }
    return wall_;
}

// ---- a reading's way: accept -> evaluate -> emit -> route -> publish or spool

hub::Ticket Shard::accept(const data::Reading& reading, bool acknowledged) {
    if (between_rules() && !acknowledged) {  // a will; sockets are not read
        append_reading(held_wills_, reading, rules::kAllPartitions, 0, false);
        return 0;
    }
    const auto produced = produced_;
    recording_ = acknowledged && options_.journal;
    evaluate(reading, rules::kAllPartitions, 0);
    if (produced_ == produced) return 0;
    awaited_ = awaited_ || acknowledged;
    return turns_.current();
}

void Shard::evaluate(const data::Reading& reading, rules::PartitionMask partitions, std::uint32_t depth) {
    take_tables();  // whoever has seen that a file was read publishes under its new content
    depth_ = depth;
    derived_count_ = 0;
    run_rules(reading, partitions);
    if (!derived_.empty()) evaluate_derived();
}

void Shard::run_rules(const data::Reading& reading, rules::PartitionMask partitions) {
    cause_ = &reading;
    if (!engine_->process(reading, partitions, *this) || !recording_) return;
    journal_.add(reading);
    gauges_.recorded.fetch_add(1, std::memory_order_relaxed);
    ++produced_;
}

/// What rules published locally is a reading for other rules. A chain is cut at kRuleChainMax: a rule may feed itself by mistake.
void Shard::evaluate_derived() {
    while (!derived_.empty()) {
        base::Bytes batch = std::move(derived_);
        derived_.clear();
        pad_readings(batch);
        for_each_reading(batch, [this](const data::Reading& reading, const ReadingHeader& header) {
            depth_ = header.depth;
            recording_ = header.recorded != 0;
            run_rules(reading, header.partitions);
        });
    }
}

void Shard::emit(const rules::OutputRow& row) {
    const RowColumns columns(row.columns);
    const std::string_view topic = row.reading == nullptr ? std::string_view() : row.reading->topic;
    if (row.reading == nullptr) cause_ = nullptr;
    router_.route(row.rule, {row.json, row.made, topic, columns}, *this);
}

void Shard::publish(std::string_view topic, base::ByteView payload) {
    hub::Publication publication;
    publication.topic = topic;
    publication.payload = payload;
    publication.qos = 1;
    hub_.publish(publication, now_, wall());
    if (depth_ + 1 > kRuleChainMax || ++derived_count_ > kDerivedMax) {
        gauges_.loops.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    data::Reading reading;
    reading.topic = topic;
    reading.payload = payload;
    reading.arrived = cause_ != nullptr ? cause_->arrived : wall();
    reading.at = now_;
    append_reading(derived_, reading, rules::kAllPartitions, depth_ + 1, recording_);
}

void Shard::spool(const data::Event& event) {
    append_event(events_, event);
    ++produced_;
    if (options_.urgent_classes[event.event_class.value()]) events_urgent_ = true;
}

void Shard::forward(data::ShardIndex owner, rules::PartitionMask partitions, const data::Reading& reading) {
    base::Bytes& batch = forwards_[owner.value()];
    if (batch.empty()) ++forwards_used_;
    append_reading(batch, reading, partitions, depth_, recording_);
    ++produced_;
}

bool Shard::to_shard(data::ShardIndex shard, hub::ShardMessage&& message) {
    auto& outbox = peer_outboxes_[shard.value()];
    if (outbox.size() >= kPeerOutboxMax) return false;
    outbox.emplace_back(HubMail{options_.index, std::move(message)});
    return true;
}

// ---- the turn

void Shard::on_turn(base::Monotonic now) {
    now_ = now;
    turn_again_ = false;
    // Quiet: between two versions of the rules nothing may be evaluated; but what others still have under way here is answered, or they
    // would never be quiet. Saving: what is saved must not be emitted, too.
    if (phase_ != Phase::quiet || !peers_quiet()) take_mail(now);
    take_sign_ins();
    take_bridges();
    take_tables();
    if (const auto due = hub_.next_deadline(); phase_ != Phase::quiet && due && *due <= now) hub_.on_tick(now, wall());
    present_released();
    if (const auto due = engine_->next_deadline(); phase_ < Phase::quiet && due && *due <= now) {
        depth_ = 0;
        derived_count_ = 0;
        cause_ = nullptr;
        recording_ = options_.journal;
        engine_->on_time(now, wall(), *this);
        if (!derived_.empty()) evaluate_derived();
    }
    settle();
    control(now);
    if (desk_.busy()) desk_.work(now, wall());
    answer_about_rules();
    if (sys_ && now >= next_sys_ && phase_ == Phase::running) publish_sys(now);
    if (sys_ && phase_ == Phase::running) publish_bridge_states(now);
    hub_.end_of_turn(now);
    send_batches();
    // Behind what it has taken in: the backbone commits that first.
    if (saving_ && (save_whole_ || backbone_outbox_bytes_ < kBackboneOutboxBytesMax)) save_slice(now);
    drain_outboxes();
    update_pause();
    mind_memory(now);
    publish_gauges();
}

void Shard::take_mail(base::Monotonic now) {
    for (std::size_t peer = 0; peer < links_.from_peers.size(); ++peer) {
        if (links_.from_peers[peer] == nullptr) continue;
        std::size_t taken = 0;
        for (ShardMail mail; taken < kMailBytesPerTurn && links_.from_peers[peer]->pop(mail);) {
            if (auto* handover = std::get_if<Handover>(&mail)) {
                taken += kHandoverBytes;
                if (between_rules()) {
                    held_handovers_.push_back(std::move(*handover));
                } else {
                    take_over(std::move(*handover));
                }
            } else if (const auto* hub = std::get_if<HubMail>(&mail)) {
                taken += hub->message.bytes.size();
                hub_.on_shard_message(hub->from, hub->message, now, wall());
            } else if (const auto* batch = std::get_if<ForwardBatch>(&mail)) {
                taken += batch->readings.size();
                take_forwarded(*batch);
            } else if (const auto* done = std::get_if<ForwardDone>(&mail)) {
                take_done(done->turn);
            }
        }
    }
}

void Shard::take_forwarded(const ForwardBatch& batch) {
    take_tables();
    auto forwards = std::exchange(forwards_, std::vector<base::Bytes>(options_.shards));
    const unsigned used = std::exchange(forwards_used_, 0);
    const auto own = own_bytes();
    for_each_reading(batch.readings, [this](const data::Reading& reading, const ReadingHeader& header) {
        recording_ = header.recorded != 0;
        evaluate(reading, header.partitions, header.depth);
    });
    Owed owed{batch.from, batch.turn, own_bytes() == own ? 0 : turns_.current(), 0};
    if (forwards_used_ != 0) {
        owed.nested_id = kNestedBit | ++nested_ids_;
        owed.nested = send_forwards(owed.nested_id, batch.awaited);
    }
    forwards_ = std::move(forwards);
    forwards_used_ = used;
    awaited_ = awaited_ || (batch.awaited && owed.our_turn != 0);
    owed_.push_back(owed);
}

void Shard::take_done(std::uint64_t turn) {
    if ((turn & kNestedBit) == 0) return turns_.forward_done(turn);
    const auto owed = std::find_if(owed_.begin(), owed_.end(), [turn](const Owed& each) { return each.nested_id == turn; });
    base::check(owed != owed_.end() && owed->nested != 0, "shard: an answer that nobody asked for");
    --owed->nested;
}

/// Releases what has become durable since the last turn.
void Shard::settle() {
    durable_seen_ = gauges_.durable_turn.load(std::memory_order_acquire);
    session_seen_ = gauges_.session_turn.load(std::memory_order_acquire);
    std::erase_if(owed_, [this](const Owed& owed) {
        if (owed.nested != 0 || durable_seen_ < owed.our_turn || session_seen_ < owed.our_records) return false;
        peer_outboxes_[owed.to.value()].emplace_back(ForwardDone{owed.their_turn});
        return true;
    });
    hub_.on_durable(turns_.complete(durable_seen_, session_seen_));
}

unsigned Shard::send_forwards(std::uint64_t turn, bool awaited) {
    unsigned sent = 0;
    for (std::size_t shard = 0; shard < forwards_.size(); ++shard) {
        if (forwards_[shard].empty()) continue;
        ForwardBatch batch{options_.index, turn, awaited, std::exchange(forwards_[shard], {})};
        pad_readings(batch.readings);
        peer_outboxes_[shard].emplace_back(std::move(batch));
        ++sent;
    }
    forwards_used_ = 0;
    return sent;
}

/// What has closed is out once nothing is due any more: a replay lets go of all that was due by then.
void Shard::record_closed() {
    const std::uint64_t closed = engine_->windows_closed();
    if (closed == closed_seen_) return;
    if (const auto due = engine_->next_deadline(); due && *due <= now_) return;
    closed_seen_ = closed;
    if (options_.journal) journal_.add_time(now_, wall());
}

void Shard::send_batches() {
    const bool records = !records_.empty() && records_awaited_;
    if (!records_.empty()) {
        session_outbox_bytes_ += records_.size();
        gauges_.session_bytes.fetch_add(records_.size(), std::memory_order_relaxed);
        // What nobody waits for has no turn of its own: it is durable with, or before, the next that has.
        session_outbox_.push_back({records ? turns_.current() : turns_.current() - 1, records, std::exchange(records_, {})});
    }
    records_awaited_ = false;
    const unsigned fences = std::exchange(fences_, 0);
    record_closed();
    const bool own = own_bytes() != 0;
    if (!own && forwards_used_ == 0 && !records && fences == 0) return;
    if (own) {
        backbone_outbox_bytes_ += own_bytes();
        EventBatch batch{turns_.current(), events_urgent_ || awaited_, std::exchange(events_, {}), journal_.take()};
        backbone_outbox_.emplace_back(std::move(batch));
    }
    const auto turn = turns_.current();
    turns_.close({.events = own, .records = records}, fences + (forwards_used_ == 0 ? 0 : send_forwards(turn, awaited_)));
    events_urgent_ = false;
    awaited_ = false;
}

void Shard::drain_outboxes() {
    while (!backbone_outbox_.empty()) {
        const std::size_t bytes = size_of(backbone_outbox_.front());
        if (!links_.to_backbone->push(std::move(backbone_outbox_.front()))) break;
        backbone_outbox_bytes_ -= bytes;
        backbone_outbox_.pop_front();
    }
    while (!session_outbox_.empty()) {
        const std::size_t bytes = session_outbox_.front().changes.size();
        if (!links_.to_sessions->push(std::move(session_outbox_.front()))) break;
        session_outbox_bytes_ -= bytes;
        session_outbox_.pop_front();
    }
    for (std::size_t peer = 0; peer < peer_outboxes_.size(); ++peer) {
        auto& outbox = peer_outboxes_[peer];
        while (!outbox.empty() && links_.to_peers[peer]->push(std::move(outbox.front()))) outbox.pop_front();
    }
}

bool Shard::outboxes_empty() const {
    return backbone_outbox_.empty() && session_outbox_.empty() && own_bytes() == 0 && forwards_used_ == 0 &&
           std::all_of(peer_outboxes_.begin(), peer_outboxes_.end(), [](const auto& outbox) { return outbox.empty(); });
}

/// The others may still send us readings, and wait for our answer, until they are quiet, too. Who has its new rules already is past that:
/// what it sends is for ours, which we take over first.
bool Shard::peers_quiet() const {
    const auto edition = gauges_.rules_edition.load(std::memory_order_relaxed);
    return std::all_of(links_.peer_gauges.begin(), links_.peer_gauges.end(), [edition](const ShardGauges* peer) {
        return peer->quiet.load(std::memory_order_acquire) || peer->rules_edition.load(std::memory_order_relaxed) > edition;
    });
}

void Shard::update_pause() {
    const bool full =
        backbone_outbox_bytes_ > kBackboneOutboxBytesMax || session_outbox_bytes_ > kSessionOutboxBytesMax ||
        turns_.runs() > kTurnRunsMax || !hub_.wants_input() ||
        std::any_of(peer_outboxes_.begin(), peer_outboxes_.end(), [](const auto& outbox) { return outbox.size() > kPeerOutboxMax; });
    if (full) gauges_.paused_turns.fetch_add(1, std::memory_order_relaxed);
    paused_ = full || phase_ != Phase::running;
    tcp_.pause_reading(paused_);
    if (full) hub_.on_input_held(now_);
}

std::optional<base::Monotonic> Shard::next_deadline() const {
    const bool mail =
        (phase_ != Phase::quiet || !peers_quiet()) &&
        std::any_of(links_.from_peers.begin(), links_.from_peers.end(), [](const auto* box) { return box != nullptr && !box->empty(); });
    const bool sign_ins = phase_ == Phase::running && access_.from_verifier != nullptr && !access_.from_verifier->empty();
    if (turn_again_ || mail || sign_ins || bridges_wait() || tables_wait() || (!released_.empty() && !paused_) ||
        !links_.commands->empty() || desk_.busy() || !links_.rule_questions->empty() || own_bytes() != 0 || forwards_used_ != 0 ||
        gauges_.durable_turn.load(std::memory_order_seq_cst) != durable_seen_ ||
        gauges_.session_turn.load(std::memory_order_seq_cst) != session_seen_) {
        return loop_.now();
    }
    std::optional<base::Monotonic> out;
    const auto take = [&out](std::optional<base::Monotonic> at) {
        if (at && (!out || *at < *out)) out = at;
    };
    if (phase_ != Phase::quiet) take(hub_.next_deadline());
    // What is due at once is due at the least time there is: the loop could not compute with it.
    if (const auto due = engine_->next_deadline(); due && phase_ < Phase::quiet) take(std::max(*due, now_));
    take(next_save_);
    if (sys_ && phase_ == Phase::running) take(next_sys_);
    // A full mailbox does not ring when it has room again.
    if (!outboxes_empty()) take(loop_.now() + std::chrono::milliseconds(1));
    if (phase_ != Phase::running || saving_) take(loop_.now() + std::chrono::milliseconds(1));
    return out;
}

// ---- control: saving, changing rules, stopping

void Shard::control(base::Monotonic now) {
    for (Command command; links_.commands->pop(command);) take_command(std::move(command), now);
    // The rows of a window that has closed go out whole: what is saved begins or ends between windows.
    const bool nothing_under_way = turns_.idle() && owed_.empty() && outboxes_empty() && !engine_->draining();
    if (phase_ == Phase::quiescing && (nothing_under_way || (stopping_ && now >= give_up_at_))) {
        phase_ = Phase::quiet;
        gauges_.quiet.store(true, std::memory_order_release);
        if (stopping_) {
            hub_.shut_down(now);
            phase_ = Phase::saying_goodbye;
            give_up_at_ = now + kGoodbyeMax;
        }
    } else if (phase_ == Phase::saying_goodbye && (tcp_.count() == 0 || now >= give_up_at_)) {
        phase_ = Phase::saving;
        save_cursor_ = {};
        saving_ = true;
    } else if (phase_ == Phase::saving && !saving_ && outboxes_empty() && peers_quiet()) {
        phase_ = Phase::ended;
        loop_.stop();
    }
    const bool save_due = now >= next_save_ || gauges_.save_wanted.load(std::memory_order_relaxed);
    if (phase_ == Phase::running && !saving_ && save_due && !engine_->draining()) {
        gauges_.save_wanted.store(false, std::memory_order_relaxed);
        save_cursor_ = {};
        saving_ = true;
    }
}

void Shard::take_command(Command&& command, base::Monotonic now) {
    switch (command.kind) {
        case Command::Kind::stop:
            stopping_ = true;
            [[fallthrough]];
        case Command::Kind::quiesce:
            phase_ = Phase::quiescing;
            give_up_at_ = now + kGoodbyeMax;
            tcp_.pause_reading(true);
            break;
        case Command::Kind::swap_access:
            use_access(std::move(command.access));
            break;
        case Command::Kind::set_limits:
            set_limits(*command.limits);
            break;
        case Command::Kind::swap_rules:
            if (command.rules != rules_) swap_rules(std::move(command.rules), now);
            gauges_.rules_edition.fetch_add(1, std::memory_order_relaxed);
            gauges_.quiet.store(false, std::memory_order_release);
            phase_ = Phase::running;
            take_held();
            break;
    }
}

/// What came between two versions of the rules and is for the new one.
void Shard::take_held() {
    base::Bytes wills = std::exchange(held_wills_, {});
    pad_readings(wills);
    for_each_reading(wills, [this](const data::Reading& reading, const ReadingHeader& header) {
        recording_ = header.recorded != 0;
        evaluate(reading, rules::kAllPartitions, header.depth);
    });
    for (Handover& handover : std::exchange(held_handovers_, {})) take_over(std::move(handover));
}

void Shard::save_slice(base::Monotonic now) {
    StateChunk chunk;
    chunk.first = !save_cursor_.started;
    chunk.at = {now + journal_.shift(), wall()};
    saving_ = engine_->save_some(save_cursor_, save_whole_ ? SIZE_MAX : kSaveSliceBytes, now, wall(), chunk.bytes);
    save_whole_ = false;
    save_cursor_.started = true;
    chunk.last = !saving_;
    backbone_outbox_bytes_ += chunk.bytes.size();
    backbone_outbox_.emplace_back(std::move(chunk));
    if (!saving_) next_save_ = now + options_.save_interval;
}

/// Sums up what all shards have published in their gauges.
void Shard::publish_sys(base::Monotonic now) {
    next_sys_ = now + options_.sys_interval;
    SysTotals totals;
    add_to(totals, gauges_);
    for (const ShardGauges* peer : links_.peer_gauges) add_to(totals, *peer);
    const auto memory = posix::process_memory();
    totals.memory = memory.resident;
    totals.memory_peak = memory.peak;
    sys_->update(totals, now, [&](std::string_view topic, std::string_view value) {
        hub_.publish({.topic = topic, .payload = base::as_bytes(value), .retain = true}, now, wall());
    });
}

void Shard::publish_gauges() {
    const auto& counters = hub_.counters();
    const auto put = [](std::atomic<std::uint64_t>& gauge, std::uint64_t value) { gauge.store(value, std::memory_order_relaxed); };
    for (std::size_t i = 0; i < ShardGauges::kHubCounters; ++i) put(gauges_.hub[i], counters.*hub::kCounterTable[i].value);
    put(gauges_.unfit_names, doorkeeper_.unfit_names());
    loop_.count_work(static_cast<std::uint32_t>(counters.readings_in - readings_seen_));
    readings_seen_ = counters.readings_in;
    if (now_ < rule_gauges_at_) return;
    rule_gauges_at_ = now_ + kRuleGaugesEvery;
    publish_bridge_gauges();
    put(gauges_.bytes_read, tcp_.bytes_read());
    put(gauges_.bytes_written, tcp_.bytes_written());
    publish_rule_gauges();
}

}  // namespace sluice::gateway
