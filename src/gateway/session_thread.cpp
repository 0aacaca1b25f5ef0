#include "gateway/session_thread.hpp"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "base/fail_point.hpp"

namespace sluice::gateway {
namespace {

constexpr std::chrono::milliseconds kRetryCommit{200};  // a full or dead disk is tried again this often
constexpr std::chrono::milliseconds kResealEvery{30};   // between two steps: most of the disk is for commits that clients wait for

}  // namespace

SessionThread::SessionThread(const env::Clock& clock, std::unique_ptr<SessionDatabase> database, std::chrono::milliseconds commit_delay)
    : loop_(clock, std::chrono::microseconds(0)), database_(std::move(database)), commit_delay_(commit_delay) {
    loop_.add_task(*this);
    age_at_ = clock.now() + SessionDatabase::kAgeEvery;
}

base::Status SessionThread::start_with(base::ByteView changes, const std::vector<hub::KeptId>& remains) {
    changes_.absorb(changes);
    for (const auto id : remains) changes_.end(id);
    waiting_ = !changes_.empty();
    return waiting_ ? write() : base::Status{};
}

void SessionThread::wire(std::vector<ShardLink> shards) {
    shards_ = std::move(shards);
    taken_turn_.resize(shards_.size());
    taken_bytes_.resize(shards_.size());
}

void SessionThread::stop() {
    stopping_.store(true, std::memory_order_release);
    loop_.wake();
}

void SessionThread::on_turn(base::Monotonic now) {
    // Looked at before the mail: what the shards left behind when they ended is in the boxes by then.
    const bool stopping = stopping_.load(std::memory_order_acquire);
    take_mail(now);
    if (waiting_ && (stopping || now >= commit_at_ || (urgent_ && !failing_))) commit(now);
    if (now >= age_at_) {
        age_at_ = now + SessionDatabase::kAgeEvery;
        if (auto done = database_->write_age(); !done) spdlog::debug("sessions: age not written: {}", base::describe(done.error()));
    }
    if (desk_ != nullptr && !stopping) tend_keys(now);
    if (!stopping || stopped_) return;
    stopped_ = true;
    if (auto done = database_->write_age(); !done) spdlog::warn("sessions: age not written: {}", base::describe(done.error()));
    database_.reset();  // closes it: the log goes into the database
    loop_.stop();
}

void SessionThread::take_mail(base::Monotonic now) {
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
        for (SessionMail mail; shards_[shard].from->pop(mail);) {
            if (!waiting_) commit_at_ = now + commit_delay_;
            waiting_ = true;
            urgent_ = urgent_ || mail.urgent;
            changes_.absorb(mail.changes);
            taken_bytes_[shard] += mail.changes.size();
            taken_turn_[shard] = mail.turn;
        }
    }
}

void SessionThread::commit(base::Monotonic now) {
    if (auto done = write(); !done) {
        if (!failing_)
            spdlog::error("sessions: cannot write; publishes that sessions wait for are not acknowledged: {}",
                          base::describe(done.error()));
        failing_ = true;
        commit_at_ = now + kRetryCommit;
        gauges_.degraded.store(1, std::memory_order_relaxed);
        gauges_.commit_failures.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    if (failing_) spdlog::warn("sessions: writing again");
    failing_ = false;
    gauges_.degraded.store(0, std::memory_order_relaxed);
    announce();
}

/// What came and went meanwhile leaves nothing to write.
base::Status SessionThread::write() {
    if (!changes_.empty()) {
        if (auto done = database_->write(changes_); !done) return done;
        base::pass(base::FailPoint::sessions_committed);
        changes_.clear();
        gauges_.commits.fetch_add(1, std::memory_order_relaxed);
        gauges_.rows_written.store(database_->rows_written(), std::memory_order_relaxed);
        gauges_.rows_removed.store(database_->rows_removed(), std::memory_order_relaxed);
    }
    gauges_.rows_spared.store(changes_.spared(), std::memory_order_relaxed);
    waiting_ = urgent_ = false;
    return {};
}

void SessionThread::announce() {
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
        shards_[shard].gauges->session_bytes.fetch_sub(std::exchange(taken_bytes_[shard], 0), std::memory_order_relaxed);
        auto& durable = shards_[shard].gauges->session_turn;
        if (durable.load(std::memory_order_relaxed) == taken_turn_[shard]) continue;
        durable.store(taken_turn_[shard], std::memory_order_seq_cst);
        shards_[shard].loop->wake();
    }
}

void SessionThread::tend_keys(base::Monotonic now) {
    const std::uint64_t edition = desk_->edition();
    const bool fresh = edition != std::exchange(keys_seen_, edition);
    if (fresh) {
        database_->use(*desk_->keys());
        resealing_ = true;
        reseal_at_ = now;
    }
    if (!resealing_ || now < reseal_at_) return;
    const auto more = database_->reseal();
    reseal_at_ = now + (more ? kResealEvery : kRetryCommit);
    if (!more) {
        if (fresh) spdlog::warn("sessions: not yet sealed with the newest key: {}", base::describe(more.error()));
        return;
    }
    resealing_ = *more;
    desk_->report(KeyHolder::sessions, database_->newest_key(), database_->held());
}

std::optional<base::Monotonic> SessionThread::next_deadline() const {
    const bool mail = std::any_of(shards_.begin(), shards_.end(), [](const ShardLink& shard) { return !shard.from->empty(); });
    if (mail || stopping_.load(std::memory_order_acquire)) return loop_.now();
    base::Monotonic out = waiting_ ? std::min(age_at_, commit_at_) : age_at_;
    if (desk_ != nullptr && desk_->edition() != keys_seen_) return loop_.now();
    if (resealing_) out = std::min(out, reseal_at_);
    return out;
}

}  // namespace sluice::gateway
