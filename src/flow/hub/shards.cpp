// Routing: a publication meets its subscribers, here and on other shards; what other shards send.
#include <algorithm>

#include "flow/hub/core.hpp"

namespace sluice::hub {

RetainStamp Hub::Core::next_stamp(base::Monotonic now) {
    retain_time_ = std::max(retain_time_ + 1, static_cast<std::uint64_t>(now.time_since_epoch().count()));
    return {retain_time_, links_.own()};
}

/// One walk through the tree, one copy a session (§3.3.4), one record a shard that wants it, one member of each group.
bool Hub::Core::spread(const Passing& passing, SessionIndex publisher, base::Monotonic now) {
    if (!passing.retain && subscriptions_.nodes() == 0) return false;
    shards_.clear();
    groups_.clear();
    deliverer_.begin();
    subscriptions_.match(passing.topic, [&](const Subscriber& one) {
        if (one.by == Wanted::by_session) {
            if (!(one.options.no_local() && one.index == publisher)) deliverer_.target(one.index, one);
        } else if (one.by == Wanted::by_group) {
            groups_.push_back(one.index);
        } else {
            if (one.options.bits == kShardKeeps.bits && passing.qos != 0) recorder_.cross(one.index);
            if (std::find(shards_.begin(), shards_.end(), one.index) == shards_.end()) shards_.push_back(one.index);
        }
    });
    const bool matched = deliverer_.has_targets() || !groups_.empty() || !shards_.empty();
    deliverer_.deliver(passing, now);
    for (const GroupIndex group : groups_) deliver_to_group(group, passing, {}, now);

    Record record{.kind = RecordKind::publication, .flags = Record::kDeliver, .passing = passing};
    if (!passing.retain) {
        for (const auto shard : shards_) links_.publication(shard, record);
        return matched;
    }
    record.stamp = next_stamp(now);
    const bool retained = retain(passing, record.stamp, affords_retained(passing), now);
    if (retained && recorder_.on() && passing.qos != 0)
        if (const auto owner = recorder_.owner(passing.topic); owner != links_.own()) recorder_.cross(owner);
    for (std::uint32_t shard = 0; shard < links_.shards(); ++shard) {
        if (shard == links_.own()) continue;
        const bool wants = std::find(shards_.begin(), shards_.end(), shard) != shards_.end();
        record.flags = (retained ? Record::kRetain : 0) | (wants ? Record::kDeliver : 0);
        if (record.flags != 0) links_.publication(shard, record);
    }
    return matched;
}

bool Hub::Core::retain(const Passing& passing, RetainStamp stamp, bool may_grow, base::Monotonic now) {
    const std::size_t before = retained_.size();
    const auto change = retained_.set(passing, stamp, !links_.alone(), may_grow);
    work_.spend(retained_.size() == before ? TurnWork::kRetainedAgain : TurnWork::kRetained);
    if (change.outcome == RetainedStore::Outcome::refused) {
        ++counters_.retained_refused;
        if (!may_grow) ++counters_.retained_refused_memory;
        return false;
    }
    if (change.outcome == RetainedStore::Outcome::stored && passing.expires != kNever) arm_retained(change.node, stamp, passing.expires);
    recorder_.retained(passing, change, now);
    return true;
}

/// Round robin over all members on all shards, as far as this shard knows them. A member here that can take it at once goes before one that
/// cannot; if none here is connected the next shard with members is asked, each once; the last keeps it for a member that is away.
void Hub::Core::deliver_to_group(GroupIndex index, const Passing& passing, const GroupTrip& trip, base::Monotonic now) {
    Group& group = subscriptions_.group(index);
    const auto here = static_cast<std::uint32_t>(group.members.size());
    const std::uint32_t everywhere = here + (trip.from_elsewhere ? 0 : group.elsewhere_total);
    const std::uint32_t turn = everywhere == 0 ? 0 : group.turn++ % everywhere;
    if (turn >= here && everywhere != here) return send_to_group_at(shard_of_member(group, turn - here), group, passing, trip);
    const Group::Member* chosen = nullptr;
    const Group::Member* away = nullptr;
    for (std::uint32_t i = 0; i < here; ++i) {
        const Group::Member& member = group.members[(turn + i) % here];
        const Session& session = sessions_[member.session];
        if (session.serial == 0) continue;  // it has ended; its filters follow
        if (deliverer_.ready(session)) {
            chosen = &member;
            break;
        }
        if (chosen == nullptr && session.online()) chosen = &member;
        if (away == nullptr) away = &member;
    }
    if (chosen == nullptr && group.elsewhere_total != 0 && trip.hops + 1U < links_.shards())
        return send_to_group_at(next_shard_with_members(group), group, passing, {trip.from_elsewhere, trip.hops + 1U});
    if (chosen == nullptr) chosen = away;
    if (chosen == nullptr) {
        ++counters_.dropped_session_end;  // its last member left while it was on the way
        return;
    }
    deliverer_.begin();
    deliverer_.target(chosen->session,
                      {.by = Wanted::by_session, .options = chosen->options, .index = chosen->session, .identifier = chosen->identifier});
    deliverer_.deliver(passing, now);
}

/// `turn` counts the members of other shards in the order of shards.
std::uint32_t Hub::Core::shard_of_member(const Group& group, std::uint32_t turn) {
    std::uint32_t shard = 0;
    while (turn >= group.elsewhere[shard]) turn -= group.elsewhere[shard++];
    return shard;
}

std::uint32_t Hub::Core::next_shard_with_members(const Group& group) const {
    std::uint32_t shard = links_.own();
    do shard = (shard + 1) % links_.shards();
    while (shard >= group.elsewhere.size() || group.elsewhere[shard] == 0);
    return shard;
}

void Hub::Core::send_to_group_at(std::uint32_t shard, const Group& group, const Passing& passing, const GroupTrip& trip) {
    // Wherever it ends up: the shard that it goes to may hand it on.
    if (group.elsewhere_keep != 0 && passing.qos != 0) trip.from_elsewhere ? recorder_.pass_on(shard) : recorder_.cross(shard);
    const std::string filter = subscriptions_.filter(group.node);
    links_.publication(shard, {.kind = RecordKind::publication, .a = trip.hops, .group = group.name, .filter = filter, .passing = passing});
}

void Hub::Core::on_shard_message(data::ShardIndex from, const ShardMessage& message, base::Monotonic now, base::WallTime wall) {
    const base::ByteView in(message.bytes);
    for (std::size_t at = 0; at < in.size();) {
        const Record record = read_record(in, at);
        ++counters_.shard_records_in;
        switch (record.kind) {
            case RecordKind::publication:
                on_publication(record, now);
                break;
            case RecordKind::interest:
                if (record.a != 0)
                    subscriptions_.add_shard(record.filter, from.value(), (record.flags & Record::kKeeps) != 0);
                else
                    subscriptions_.remove_shard(record.filter, from.value());
                break;
            case RecordKind::members:
                subscriptions_.set_group_elsewhere(record.filter, record.group, from.value(), static_cast<std::uint32_t>(record.a),
                                                   (record.flags & Record::kKeeps) != 0);
                break;
            case RecordKind::fence:
                links_.control(from.value(), {.kind = RecordKind::passed, .a = record.a});
                break;
            case RecordKind::passed:
                links_.passed(from.value(), record.a);
                on_passed({now, wall});
                break;
            case RecordKind::keep:
                recorder_.on_fence(from, record.a, links_);
                break;
        }
    }
}

void Hub::Core::on_publication(const Record& record, base::Monotonic now) {
    const Passing& passing = record.passing;
    if (!record.group.empty()) {
        const GroupIndex group = subscriptions_.find_group(record.filter, record.group);
        if (group != kNoGroup)
            deliver_to_group(group, passing, {.from_elsewhere = true, .hops = static_cast<std::uint32_t>(record.a)}, now);
        else
            ++counters_.dropped_session_end;
        return;
    }
    if ((record.flags & Record::kDeliver) != 0) {
        deliverer_.begin();
        subscriptions_.match(passing.topic, [&](const Subscriber& one) {
            if (one.by == Wanted::by_session) deliverer_.target(one.index, one);
        });
        deliverer_.deliver(passing, now);
    }
    if ((record.flags & Record::kRetain) != 0) {
        retain_time_ = std::max(retain_time_, record.stamp.time);  // what is retained here from now on is later
        retain(passing, record.stamp, true, now);                  // where it was published there was room for it
    }
}

void Hub::Core::on_passed(const Moment& moment) {
    while (!subacks_.empty() && links_.all_passed(subacks_.front().fence)) {
        PendingSuback pending = subacks_.pop_front();
        filters_pending_ -= pending.filters;
        finish_when_durable(std::move(pending), moment);
    }
}

}  // namespace sluice::hub
