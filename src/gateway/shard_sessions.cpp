// What a shard has to do with sessions that outlive the process: restoring, and the hub's journal.
#include "base/hash.hpp"
#include "gateway/shard.hpp"

namespace sluice::gateway {

void Shard::restore_sessions(const hub::JournalStart& start, const hub::SavedState& saved) {
    hub_.open_journal(*this, start);
    for (const auto& message : saved.retained()) hub_.restore_retained(message, now_);
    for (const auto& session : saved.sessions()) {
        if (base::shard_of(base::hash64(session.session.client), options_.shards) == options_.index.value()) hub_.restore(session, now_);
    }
    hub_.review_permissions(access_.rules == nullptr ? nullptr : &doorkeeper_);  // users may have gone while we were down
}

void Shard::settle_restored(std::span<const std::unique_ptr<Shard>> all, base::Bytes& changes) {
    hub_.end_of_turn(now_);
    base::append(changes, records_);
    records_.clear();
    for (std::size_t peer = 0; peer < peer_outboxes_.size(); ++peer) {
        for (auto& outbox = peer_outboxes_[peer]; !outbox.empty(); outbox.pop_front()) {
            const auto& mail = std::get<HubMail>(outbox.front());
            all[peer]->hub_.on_shard_message(mail.from, mail.message, now_, {});
        }
    }
}

/// Well before all sockets wait (shard.cpp: kSessionOutboxBytesMax).
bool Shard::behind() const {
    constexpr std::size_t kBytes = 1024 * 1024;
    return gauges_.session_bytes.load(std::memory_order_relaxed) > kBytes;
}

void Shard::take(base::Bytes&& changes, bool awaited, unsigned fences) {
    records_ = std::move(changes);
    records_awaited_ = records_awaited_ || awaited;
    fences_ = fences;
}

std::uint64_t Shard::owe(data::ShardIndex to, std::uint64_t number, bool recorded, unsigned nested) {
    Owed owed{to, number, 0, recorded ? turns_.current() : 0, nested};
    if (nested != 0) owed.nested_id = kNestedBit | ++nested_ids_;
    records_awaited_ = records_awaited_ || recorded;
    owed_.push_back(owed);
    return owed.nested_id;
}

}  // namespace sluice::gateway
