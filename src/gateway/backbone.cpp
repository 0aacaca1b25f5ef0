#include "gateway/backbone.hpp"

#include <utility>

#include <spdlog/spdlog.h>

#include "gateway/event_batch.hpp"
#include "gateway/status.hpp"

namespace sluice::gateway {
namespace {

constexpr std::size_t kCommitBytes = 512 * 1024;        // a block that is large enough is written without waiting
constexpr std::chrono::milliseconds kRetryCommit{200};  // a dead disk is tried again this often
constexpr std::chrono::seconds kMaintainEvery{1};
constexpr std::chrono::seconds kSaveTotalsEvery{10};
constexpr std::chrono::seconds kUplinkReportEvery{60};  // while nothing but the same failure happens
constexpr std::chrono::milliseconds kGoodbyeMax{1000};

}  // namespace

Backbone::Backbone(Options options, const env::Clock& clock, env::Entropy& entropy, std::unique_ptr<spool::Spool> spool, StateStore& state,
                   OnAlert on_alert)
    : options_(std::move(options)),
      clock_(clock),
      loop_(clock, std::chrono::microseconds(0)),
      spool_(std::move(spool)),
      state_(state),
      on_alert_(std::move(on_alert)),
      source_(*spool_),
      tcp_(loop_, *this),
      resolver_(loop_),
      uplink_(options_.uplink, source_, *this, *this, entropy),
      base_totals_(state.load_totals()) {
    loop_.add_task(*this);
    loop_.add_task(tcp_);
    update_view();
}

void Backbone::run() {
    appended_turn_.resize(shards_.size());
    saved_shards_.resize(shards_.size());
    const auto now = clock_.now();
    maintain_at_ = now + kMaintainEvery;
    save_totals_at_ = now + kSaveTotalsEvery;
    if (options_.has_uplink) uplink_.start(now);
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
    take_mail(now);
    if (uncommitted_ && (now >= commit_at_ || (!failing_ && (urgent_ || uncommitted_bytes_ >= kCommitBytes)))) commit(now);
    finish_lookup(now);
    if (const auto due = uplink_.next_deadline(); due && *due <= now) {
        uplink_.on_tick(now);
        view_stale_ = true;
    }
    if (options_.has_uplink) report_uplink(now);
    housekeeping(now);
    if (stopping) {
        if (!saying_goodbye_) {
            saying_goodbye_ = true;
            give_up_at_ = now + kGoodbyeMax;
            if (uncommitted_) commit(now);
            if (options_.has_uplink) uplink_.stop(now);
        }
        if (connection_ == 0 || now >= give_up_at_) {
            if (auto saved = state_.save_totals(totals()); !saved)
                spdlog::warn("ledger totals not saved: {}", base::describe(saved.error()));
            if (!failing_ && !state_failed_) {
                if (auto marked = state_.mark_clean(); !marked) spdlog::warn("clean stop not marked: {}", base::describe(marked.error()));
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
                take_state(static_cast<unsigned>(shard), *chunk);
            }
        }
    }
}

void Backbone::take_events(std::size_t shard, const EventBatch& batch, base::Monotonic now) {
    if (!uncommitted_) {
        uncommitted_ = true;
        commit_at_ = now + options_.commit_delay;
    }
    urgent_ = urgent_ || batch.urgent;
    uncommitted_bytes_ += batch.events.size();
    for_each_event(batch.events, [this](const data::Event& event) {
        // too_large is counted by the spool itself, with its class; nothing else can be wrong with one event.
        (void)spool_->append(event);
        if (on_alert_ && options_.urgent_classes[event.event_class.value()]) on_alert_(event);
    });
    appended_turn_[shard] = batch.turn;
}

void Backbone::take_state(unsigned shard, const StateChunk& chunk) {
    if (auto saved = state_.save_rule_state(shard, chunk.first, chunk.last, chunk.bytes); !saved) {
        spdlog::warn("rule state of shard {} not saved: {}", shard, base::describe(saved.error()));
        state_failed_ = true;
        return;
    }
    if (!chunk.last) return;
    state_failed_ = false;
    saved_shards_[shard] = true;
    for (const bool saved : saved_shards_) {
        if (!saved) return;
    }
    if (auto done = state_.forget_shards_from(static_cast<unsigned>(shards_.size())); !done) {
        spdlog::warn("old rule state not removed: {}", base::describe(done.error()));
    }
}

void Backbone::commit(base::Monotonic now) {
    const auto done = spool_->commit();
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
    update_view();  // before the acknowledgements leave: who has one finds its event in the ledger
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
        auto& durable = shards_[shard].gauges->durable_turn;
        if (durable.load(std::memory_order_relaxed) == appended_turn_[shard]) continue;
        durable.store(appended_turn_[shard], std::memory_order_seq_cst);
        shards_[shard].loop->wake();
    }
    if (options_.has_uplink) uplink_.on_events(now);
}

void Backbone::housekeeping(base::Monotonic now) {
    if (now >= maintain_at_) {
        maintain_at_ = now + kMaintainEvery;
        // Nothing is lost by a failure here: the next call tries again, and commit() says loudly when the disk is dead.
        if (auto done = spool_->maintain(); !done) spdlog::debug("spool: maintenance failed: {}", base::describe(done.error()));
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
    if (resolver_.ready() || (saying_goodbye_ && connection_ == 0) || (stopping_.load(std::memory_order_acquire) && !saying_goodbye_))
        return loop_.now();
    base::Monotonic out = std::min(maintain_at_, save_totals_at_);
    if (uncommitted_) out = std::min(out, commit_at_);
    if (const auto due = uplink_.next_deadline()) out = std::min(out, *due);
    if (saying_goodbye_) out = std::min(out, give_up_at_);
    return out;
}

// ---- the connection to the cloud

void Backbone::open() {
    connection_ = 0;
    addresses_.clear();
    resolver_.start(options_.host);
}

void Backbone::finish_lookup(base::Monotonic now) {
    auto found = resolver_.take();
    if (!found) return;
    if (found->has_value()) addresses_ = std::move(**found);
    if (!connect_next()) uplink_.on_closed(now);
}

/// A name often has several addresses, and not all of them answer: `localhost` is ::1 first, where a cloud on 127.0.0.1 is not.
bool Backbone::connect_next() {
    while (!addresses_.empty()) {
        const std::string address = std::move(addresses_.front());
        addresses_.erase(addresses_.begin());
        if (const auto id = tcp_.connect(address, options_.port)) {
            connection_ = *id;
            return true;
        }
    }
    return false;
}

void Backbone::send(base::ByteView bytes) { tcp_.send(connection_, bytes); }

void Backbone::close(bool flush) {
    resolver_.cancel();
    addresses_.clear();
    if (connection_ == 0) return;
    if (flush) {
        tcp_.close(connection_);
    } else {
        tcp_.abort(connection_);
    }
    if (!saying_goodbye_) connection_ = 0;
}

void Backbone::on_open(posix::TcpId id, const posix::PeerAddress&) {
    if (id != connection_) return;
    addresses_.clear();
    uplink_.on_connected(loop_.now());
}

std::size_t Backbone::on_bytes(posix::TcpId id, base::ByteView bytes) {
    if (id != connection_ || saying_goodbye_) return bytes.size();
    view_stale_ = true;
    return uplink_.on_bytes(bytes, loop_.now());
}

void Backbone::on_closed(posix::TcpId id, const base::Error&) {
    if (id != connection_) return;
    connection_ = 0;
    if (!saying_goodbye_ && !connect_next()) uplink_.on_closed(loop_.now());
}

/// Says in the log what became of the link: each change at once, the same failure once a minute.
void Backbone::report_uplink(base::Monotonic now) {
    const uplink::Stats& stats = uplink_.stats();
    if (stats.connected != uplink_up_) {
        uplink_up_ = stats.connected;
        uplink_reported_at_ = now;
        uplink_failures_ = stats.failures + stats.refusals;
        if (uplink_up_) {
            spdlog::info("uplink: signed in to {}:{}", options_.host, options_.port);
        } else if (!saying_goodbye_) {
            spdlog::warn("uplink: lost {}:{}; events wait in the spool", options_.host, options_.port);
        }
        return;
    }
    const auto failures = stats.failures + stats.refusals;
    if (uplink_up_ || failures == uplink_failures_ || (uplink_failures_ != 0 && now - uplink_reported_at_ < kUplinkReportEvery)) return;
    uplink_failures_ = failures;
    uplink_reported_at_ = now;
    if (stats.refusals != 0) {
        spdlog::warn("uplink: {}:{} refuses us (reason code 0x{:02x}); check uplink.token there and here", options_.host, options_.port,
                     stats.refusal);
    } else {
        spdlog::warn("uplink: {}:{} cannot be reached; trying again, events wait in the spool", options_.host, options_.port);
    }
}

// ---- what others see

LedgerTotals Backbone::totals() const {
    LedgerTotals out = base_totals_;
    for (const auto& shard : shards_) {
        out.readings_in += shard.gauges->hub_counter(&hub::Counters::readings_in);
        out.bytes_in += shard.gauges->hub_counter(&hub::Counters::bytes_in);
    }
    out.bytes_up += uplink_.stats().bytes_up;
    return out;
}

void Backbone::update_view() {
    BackboneView view{spool_->stats(), uplink_.stats(), base_totals_};
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
    out.totals.bytes_up += out.uplink.bytes_up;
    return out;
}

void Backbone::append_ledger(base::Bytes& out) { base::append(out, ledger_json({spool_->stats(), uplink_.stats(), totals()})); }

}  // namespace sluice::gateway
