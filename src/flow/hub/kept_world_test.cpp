#include "flow/hub/kept_world_test.hpp"

#include "flow/hub/journal_batch.hpp"
#include "flow/hub/saved_state.hpp"

namespace sluice::hub::test {

void Disk::apply(base::ByteView changes) {
    base::ByteView message;
    for (std::size_t at = 0; at < changes.size();) {
        const Change change = read_change(changes, at);
        const auto key = std::tuple(change.id, change.row, change.number, std::string(base::as_text(change.key)));
        switch (change.kind) {
            case ChangeKind::message:
                message = change.body;
                break;
            case ChangeKind::add:
                EXPECT_FALSE(rows.contains(key)) << "added twice";
                [[fallthrough]];
            case ChangeKind::put:
                rows[key].assign(change.body.begin(), change.body.end());
                if (change.with_message) base::append(rows[key], message);
                break;
            case ChangeKind::remove:
                rows.erase(key);
                break;
            case ChangeKind::end:
                std::erase_if(rows, [&](const auto& row) { return std::get<0>(row.first) == change.id; });
                break;
        }
    }
}

std::size_t Disk::count(RowKind kind) const {
    return static_cast<std::size_t>(
        std::count_if(rows.begin(), rows.end(), [kind](const auto& row) { return std::get<1>(row.first) == kind; }));
}

KeptWorld::KeptWorld(Disk& disk, std::uint16_t shards, Limits limits, std::chrono::milliseconds downtime, Authenticator* authenticator,
                     Authenticator* names)
    : world(shards, limits, authenticator, names), disk_(disk), clock_{world.now(), disk.age + static_cast<Age>(downtime.count())} {
    SavedState saved;
    for (const auto& [key, body] : disk.rows)
        EXPECT_TRUE(saved.add(std::get<1>(key), std::get<0>(key), std::get<2>(key), base::Bytes(body)));
    saved.finish();
    EXPECT_TRUE(saved.remains().empty());
    for (std::uint16_t i = 0; i < shards; ++i) {
        writers_.push_back(std::make_unique<Writer>(*this, i));
        world.hub(i).open_journal(*writers_.back(), {.clock = clock_, .stopped = disk.age, .next_id = saved.greatest_id() + 1 + i});
        for (const auto& message : saved.retained()) world.hub(i).restore_retained(message, world.now());
    }
    for (const auto& session : saved.sessions())
        world.hub(base::shard_of(base::hash64(session.session.client), shards)).restore(session, world.now());
    commit();
}

void KeptWorld::commit_one(std::uint32_t shard) {
    world.settle();
    writers_[shard]->commit(disk_);
    disk_.age = clock_.age_of(world.now());
    answer();
}

void KeptWorld::commit() {
    for (std::uint32_t shard = 0; shard < writers_.size(); ++shard) commit_one(shard);
}

void KeptWorld::stop() {
    for (std::uint32_t shard = 0; shard < writers_.size(); ++shard) world.hub(shard).shut_down(world.now());
    commit();
}

void KeptWorld::answer() {
    for (bool moved = true; moved;) {
        moved = false;
        for (auto& writer : writers_) moved = writer->answer() || moved;
    }
    world.settle();
}

void KeptWorld::Writer::take(base::Bytes&& changes, bool awaited, unsigned fences) {
    const bool closes = awaited || std::exchange(forced_, false);
    if (!changes.empty())
        batches_.push_back({closes ? turn_ : turn_ - 1, std::move(changes)});
    else if (closes)
        batches_.push_back({turn_, {}});
    if (!closes) return;
    turns_.push_back({turn_, fences});
    ++turn_;
}

std::uint64_t KeptWorld::Writer::owe(data::ShardIndex to, std::uint64_t number, bool recorded, unsigned nested) {
    Owed owed{to.value(), number, recorded ? turn_ : 0, nested, 0};
    forced_ = forced_ || recorded;
    if (nested != 0) owed.nested_number = kNestedBit | ++last_nested_;
    owed_.push_back(owed);
    return owed.nested_number;
}

void KeptWorld::Writer::commit(Disk& disk) {
    for (; !batches_.empty(); batches_.pop_front()) {
        disk.apply(batches_.front().changes);
        durable_ = std::max(durable_, batches_.front().turn);
    }
}

bool KeptWorld::Writer::answer() {
    bool moved = false;
    for (std::size_t i = 0; i < owed_.size();) {
        if (owed_[i].nested != 0 || durable_ < owed_[i].our_turn) {
            ++i;
            continue;
        }
        const Owed owed = owed_[i];
        owed_.erase(owed_.begin() + static_cast<std::ptrdiff_t>(i));
        owner_.writers_[owed.to]->answered(owed.number);
        moved = true;
    }
    while (!turns_.empty() && turns_.front().fences == 0 && durable_ >= turns_.front().number) {
        owner_.world.hub(index_).on_durable(turns_.front().number);
        turns_.pop_front();
        moved = true;
    }
    return moved;
}

void KeptWorld::Writer::answered(std::uint64_t number) {
    if ((number & kNestedBit) != 0) {
        for (Owed& owed : owed_)
            if (owed.nested_number == number) --owed.nested;
        return;
    }
    for (Turn& turn : turns_) {
        if (turn.number != number) continue;
        ASSERT_NE(turn.fences, 0U) << "an answer that nobody asked for";
        --turn.fences;
        return;
    }
    ADD_FAILURE() << "an answer for a turn that is over";
}

}  // namespace sluice::hub::test
