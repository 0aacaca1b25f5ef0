#include "gateway/backbone.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include <spdlog/spdlog.h>

#include "base/fail_point.hpp"
#include "gateway/event_batch.hpp"
#include "gateway/status.hpp"

namespace sluice::gateway {
namespace {

constexpr std::size_t kCommitBytesMax = 2 * 1024 * 1024;  // of one commit, about
constexpr std::size_t kCommitBytes = 512 * 1024;          // a block that is large enough is written without waiting
constexpr std::uint64_t kJournalBytesMin = 16 << 20;      // a replay of so much takes well under a second
constexpr std::chrono::milliseconds kRetryCommit{200};    // a dead disk is tried again this often
constexpr std::chrono::seconds kMaintainEvery{1};
constexpr std::chrono::seconds kSaveTotalsEvery{10};
constexpr std::chrono::seconds kReportEvery{60};  // losses in the log
constexpr std::chrono::milliseconds kGoodbyeMax{1000};

struct Loss {
    base::DropReason reason;
    spdlog::level::level_enum level;
    const char* text;
};
/// What the log tells of losses in the spool. (`too_large` is told by who finds it, with more to say.)
constexpr std::array kLosses{
    Loss{base::DropReason::disk_full, spdlog::level::err, "the disk is full; the oldest of the lowest class go first"},
    Loss{base::DropReason::spool_full, spdlog::level::warn,
         "spool.max_bytes or a class's max_share is reached; the oldest of the lowest class go first"},
    Loss{base::DropReason::corrupt, spdlog::level::err, "what was on disk is damaged or missing; `sluice spool verify` says where"},
    Loss{base::DropReason::ttl, spdlog::level::warn, "they have waited for longer than their ttl"},
};
static_assert(kLosses.size() == std::tuple_size_v<Backbone::LossesTold>);

}  // namespace

Backbone::Backbone(Options options, const env::Clock& clock, env::Entropy& entropy, std::unique_ptr<spool::Spool> spool, RuleState state,
                   Keys keys, OnAlert on_alert)
    : options_(std::move(options)),
      clock_(clock),
      loop_(clock, std::chrono::microseconds(0)),
      spool_(std::move(spool)),
      keys_(keys),
      state_(state.store),
      rule_state_(std::move(state)),
      on_alert_(std::move(on_alert)),
      base_totals_(state_.load_totals()) {
    loop_.add_task(*this);
    for (CloudPort::Options& each : options_.clouds)
        clouds_.push_back(std::make_unique<CloudPort>(std::move(each), loop_, *spool_, static_cast<uplink::StatusSource&>(*this), entropy));
    update_view();
}

void Backbone::run() {
    appended_turn_.resize(shards_.size());
    saving_heads_.resize(shards_.size());
    saved_positions_.resize(shards_.size());
    saved_bytes_.resize(shards_.size());
    if (rule_state_.journal) journal_lost_ = rule_state_.journal->stats().lost;  // the start has said so
    const auto now = clock_.now();
    for (std::size_t i = 0; i < kLosses.size(); ++i) {
        losses_told_[i] = lost(kLosses[i].reason);  // of earlier runs, which have said so …
        if (kLosses[i].reason == base::DropReason::corrupt) losses_told_[i] -= spool_->stats().corrupt_at_open;  // … but for this
    }
    maintain_at_ = now + kMaintainEvery;
    save_totals_at_ = now + kSaveTotalsEvery;
    for (const auto& cloud : clouds_) cloud->start(now);
    loop_.run();
}

void Backbone::stop() {
    stopping_.store(true, std::memory_order_release);
    loop_.wake();
}

// ---- the turn

void Backbone::on_turn(base::Monotonic now) {
    // Looked at before the mail: what the shards left behind when they ended is in the boxes by then.
    const bool stopping = stopping_.load(std::memory_order_acquire);
    if (keys_.desk.edition() != keys_seen_) take_keys(now);
    take_mail(now);
    if (uncommitted_ && (now >= commit_at_ || (!failing_ && ((urgent_ && now >= commit_from_) || uncommitted_bytes_ >= kCommitBytes))))
        commit(now);
    for (const auto& cloud : clouds_) view_stale_ |= cloud->on_turn(now);
    housekeeping(now);
    if (stopping) {
        if (!saying_goodbye_) {
            saying_goodbye_ = true;
            give_up_at_ = now + kGoodbyeMax;
            if (uncommitted_) commit(now);
            for (const auto& cloud : clouds_) cloud->stop(now);
        }
        if (gone() || now >= give_up_at_) {
            if (auto saved = state_.save_totals(totals()); !saved)
                spdlog::warn("ledger totals not saved: {}", base::describe(saved.error()));
            if (!failing_ && !state_failed_) {
                if (auto marked = state_.mark_clean(); !marked) spdlog::warn("clean stop not marked: {}", base::describe(marked.error()));
            }
            if (rule_state_.journal) {
                if (auto closed = rule_state_.journal->close(); !closed)
                    spdlog::error("journal not closed cleanly: {}", base::describe(closed.error()));
            }
            if (auto closed = spool_->close(); !closed) spdlog::error("spool not closed cleanly: {}", base::describe(closed.error()));
            loop_.stop();
        }
    }
    if (view_stale_) update_view();
}

void Backbone::take_mail(base::Monotonic now) {
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
        for (BackboneMail mail; shards_[shard].from->pop(mail);) {
            if (const auto* events = std::get_if<EventBatch>(&mail)) {
                take_events(shard, *events, now);
            } else if (const auto* chunk = std::get_if<StateChunk>(&mail)) {
                take_state(static_cast<unsigned>(shard), *chunk, now);
            }
        }
    }
}

void Backbone::take_events(std::size_t shard, const EventBatch& batch, base::Monotonic now) {
    // So that a commit does not grow without bound; what one batch brings is never split (Options::commits_when_full).
    if (uncommitted_bytes_ >= kCommitBytesMax && !failing_) commit(now);
    if (!uncommitted_) {
        uncommitted_ = true;
        commit_at_ = now + options_.commit_delay;
    }
    urgent_ = urgent_ || batch.urgent;
    for_each_event(batch.events, [this](const data::Event& event) {
        for (const Stream& stream : options_.streams[event.event_class.value()]) {
            uncommitted_bytes_ += event.rule.size() + event.json.size();
            // too_large is counted by the spool itself, with its class; nothing else can be wrong with one event.
            if (event.rule.size() + event.json.size() > stream.event_bytes_max) {
                spool_->count_dropped(stream.spool_class, base::DropReason::too_large);
                continue;
            }
            data::Event of_stream = event;
            of_stream.event_class = stream.spool_class;
            const auto sequence = spool_->append(of_stream);
            if (sequence && rule_state_.recording) rule_state_.journal->note(*spool_, *sequence, of_stream);
        }
        if (on_alert_ && options_.urgent_classes[event.event_class.value()]) on_alert_(event);
    });
    for (const base::Bytes& record : batch.state) {
        rule_state_.journal->append(record);
        uncommitted_bytes_ += record.size();
    }
    appended_turn_[shard] = batch.turn;
}

void Backbone::take_state(unsigned shard, const StateChunk& chunk, base::Monotonic now) {
    if (chunk.first) {
        // What the shard sent before is in its state, and nothing that it will send.
        const std::uint64_t position = rule_state_.recording ? rule_state_.journal->position() : 0;
        saving_heads_[shard] = {.at = chunk.at, .position = position, .origin = {shard, static_cast<unsigned>(shards_.size())}};
    }
    state_.add_rule_state(shard, chunk.first, chunk.bytes);
    if (!chunk.last) return;
    // State must not be ahead of what it comes from: a reading that is not on disk comes again, an event that is not would be lost.
    if (uncommitted_) commit(now);
    if (failing_) {
        state_failed_ = true;
        return;
    }
    const auto saved = state_.save_rule_state(saving_heads_[shard]);
    if (!saved) {
        spdlog::warn("rule state of shard {} not saved: {}", shard, base::describe(saved.error()));
        state_failed_ = true;
        return;
    }
    state_failed_ = false;
    ++checkpoints_;
    saved_bytes_[shard] = *saved;
    saved_positions_[shard] = std::max<std::uint64_t>(1, saving_heads_[shard].position);
    finish_checkpoint();
}

/// When each shard has saved, the journal before their saves has done its work.
void Backbone::finish_checkpoint() {
    const std::uint64_t oldest = *std::min_element(saved_positions_.begin(), saved_positions_.end());
    if (oldest == 0) return;
    if (auto done = state_.forget_other_shards(static_cast<unsigned>(shards_.size())); !done)
        spdlog::warn("old rule state not removed: {}", base::describe(done.error()));
    if (!rule_state_.journal) return;
    rule_state_.journal->release(rule_state_.recording ? oldest : rule_state_.journal->position());
    journal_bytes_at_checkpoint_ = rule_state_.journal->stats().bytes_written;
    view_stale_ = true;
}

/// A journal that grows is cut short by a checkpoint, so that a replay stays short; one that had to drop records, so that they are not
/// needed.
void Backbone::mind_journal() {
    if (!rule_state_.recording) return;
    const JournalStats stats = rule_state_.journal->stats();
    const std::uint64_t state_bytes = std::accumulate(saved_bytes_.begin(), saved_bytes_.end(), std::uint64_t{0});
    const std::uint64_t enough = std::min(stats.bytes_max / 2, std::max(kJournalBytesMin, 4 * state_bytes));
    const bool lost = stats.lost != journal_lost_;
    if (lost) {
        spdlog::error(
            "rule state: the journal is full, {} of its records are lost; until the next checkpoint a crash would lose their readings",
            stats.lost - journal_lost_);
        journal_lost_ = stats.lost;
    }
    if (!lost && stats.bytes_written - journal_bytes_at_checkpoint_ < enough) return;
    journal_bytes_at_checkpoint_ = stats.bytes_written;
    for (const auto& shard : shards_) {
        shard.gauges->save_wanted.store(true, std::memory_order_relaxed);
        shard.loop->wake();
    }
}

void Backbone::commit(base::Monotonic now) {
    commit_from_ = now + options_.commit_spacing;
    base::Status done;
    if (rule_state_.recording) {
        const auto safe = rule_state_.journal->commit(*spool_, {now + rule_state_.shift, clock_.wall().time}, urgent_);
        base::pass(base::FailPoint::journal_synced);
        // One sync, and who waits for it is answered. Not while the spool's disk fails: its memory is bounded, and senders keep what they
        // have. Nor where the spool has to write down first that an event is gone.
        if (safe && *safe && !failing_ && !spool_->has_unsaved_losses()) {
            spool_->promise();
            acknowledge();
        }
        if (!safe) done = safe.error();
    }
    // Where only the journal cannot be written events go out all the same; acknowledgements do not.
    if (auto spooled = spool_->commit(); !spooled) done = spooled;
    view_stale_ = true;
    if (!done) {
        if (!failing_)
            spdlog::error("spool: cannot write, events wait in memory and are not acknowledged: {}", base::describe(done.error()));
        failing_ = true;
        commit_at_ = now + kRetryCommit;
        return;
    }
    if (failing_) spdlog::warn("spool: writing again");
    failing_ = false;
    uncommitted_ = false;
    urgent_ = false;
    uncommitted_bytes_ = 0;
    base::pass(base::FailPoint::events_committed);
    acknowledge();
    for (const auto& cloud : clouds_) cloud->on_events(now);
}

/// All that the shards have sent is safe.
void Backbone::acknowledge() {
    update_view();  // before the acknowledgements leave: who has one finds its event in the ledger
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
        auto& durable = shards_[shard].gauges->durable_turn;
        if (durable.load(std::memory_order_relaxed) == appended_turn_[shard]) continue;
        durable.store(appended_turn_[shard], std::memory_order_seq_cst);
        shards_[shard].loop->wake();
    }
}

void Backbone::housekeeping(base::Monotonic now) {
    if (now >= maintain_at_) {
        maintain_at_ = now + kMaintainEvery;
        // Nothing is lost by a failure here: the next call tries again, and commit() says loudly when the disk is dead.
        if (auto done = spool_->maintain(); !done) spdlog::debug("spool: maintenance failed: {}", base::describe(done.error()));
        if (rule_state_.journal) {
            if (auto done = rule_state_.journal->maintain(); !done)
                spdlog::debug("journal: maintenance failed: {}", base::describe(done.error()));
        }
        mind_journal();
        report_keys(now);
        report_losses(now);
        view_stale_ = true;
    }
    if (now >= save_totals_at_) {
        save_totals_at_ = now + kSaveTotalsEvery;
        if (auto saved = state_.save_totals(totals()); !saved) spdlog::warn("ledger totals not saved: {}", base::describe(saved.error()));
    }
}

std::optional<base::Monotonic> Backbone::next_deadline() const {
    for (const auto& shard : shards_) {
        if (!shard.from->empty()) return loop_.now();
    }
    if ((saying_goodbye_ && gone()) || (stopping_.load(std::memory_order_acquire) && !saying_goodbye_)) return loop_.now();
    if (keys_.desk.edition() != keys_seen_) return loop_.now();
    base::Monotonic out = std::min(maintain_at_, save_totals_at_);
    if (uncommitted_) out = std::min(out, urgent_ && !failing_ ? std::min(commit_at_, commit_from_) : commit_at_);
    for (const auto& cloud : clouds_) {
        if (const auto due = cloud->next_deadline()) out = std::min(out, *due);
    }
    if (saying_goodbye_) out = std::min(out, give_up_at_);
    return out;
}

std::uint64_t Backbone::lost(base::DropReason reason) const {
    std::uint64_t sum = 0;
    for (const auto& row : spool_->stats().classes) sum += row.dropped[static_cast<std::size_t>(reason)];
    return sum;
}

/// Says in the log, at most once a minute, what was lost since.
void Backbone::report_losses(base::Monotonic now) {
    if (now < losses_report_at_) return;
    for (std::size_t i = 0; i < kLosses.size(); ++i) {
        const std::uint64_t sum = lost(kLosses[i].reason);
        if (sum <= losses_told_[i]) continue;
        spdlog::log(kLosses[i].level, "spool: {} events are lost: {}", sum - losses_told_[i], kLosses[i].text);
        losses_told_[i] = sum;
        losses_report_at_ = now + kReportEvery;
    }
}

// ---- what others see

LedgerTotals Backbone::totals() const {
    LedgerTotals out = base_totals_;
    for (const auto& shard : shards_) {
        out.readings_in += shard.gauges->hub_counter(&hub::Counters::readings_in);
        out.bytes_in += shard.gauges->hub_counter(&hub::Counters::bytes_in);
    }
    for (const auto& cloud : clouds_) out.bytes_up += cloud->stats().bytes_up;
    return out;
}

JournalStats Backbone::journal_stats() const {
    JournalStats out;
    if (rule_state_.journal) out = rule_state_.journal->stats();
    out.replayed = rule_state_.replayed;
    out.checkpoints = checkpoints_;
    out.checkpoint_bytes = std::accumulate(saved_bytes_.begin(), saved_bytes_.end(), std::uint64_t{0});
    return out;
}

std::vector<UplinkView> Backbone::uplink_views() const {
    std::vector<UplinkView> out;
    out.reserve(clouds_.size());
    for (const auto& cloud : clouds_) out.push_back({cloud->id(), cloud->url(), cloud->stats()});
    return out;
}

bool Backbone::gone() const {
    return std::all_of(clouds_.begin(), clouds_.end(), [](const auto& cloud) { return cloud->is_closed(); });
}

void Backbone::update_view() {
    BackboneView view{spool_->stats(), uplink_views(), journal_stats(), base_totals_};
    const std::lock_guard guard(view_lock_);
    view_ = std::move(view);
    view_stale_ = false;
}

BackboneView Backbone::view() const {
    BackboneView out;
    {
        const std::lock_guard guard(view_lock_);
        out = view_;
    }
    for (const auto& shard : shards_) {
        out.totals.readings_in += shard.gauges->hub_counter(&hub::Counters::readings_in);
        out.totals.bytes_in += shard.gauges->hub_counter(&hub::Counters::bytes_in);
    }
    for (const UplinkView& each : out.uplinks) out.totals.bytes_up += each.stats.bytes_up;
    return out;
}

void Backbone::append_ledger(base::Bytes& out) {
    base::append(out, ledger_json({spool_->stats(), uplink_views(), journal_stats(), totals()}));
}

}  // namespace sluice::gateway
