// Saved state: docs/formats/rule_state.md. What is read back is outside input: a bad value is `corrupt`, never a crash.
#include <algorithm>
#include <cstring>

#include "base/hash.hpp"
#include "flow/rules/engine_impl.hpp"
#include "flow/rules/state_bytes.hpp"

namespace sluice::rules {
namespace {

constexpr std::uint16_t kVersion = 4;
constexpr std::uint16_t kVersionOldest = 2;
/// Readings of a shard, ever.
constexpr std::uint64_t kTurnsMax = std::uint64_t{1} << 62;

}  // namespace

bool Engine::Impl::owns(const PartitionPlan& partition, std::uint32_t index, std::string_view key) const {
    return (partition.whole.empty() ? base::shard_of(base::hash64(key), options.shards) : whole_owners[index]) == options.shard;
}

void Engine::Impl::save_early(std::uint32_t table, std::uint32_t series) {
    save.to_do[table][series] = false;
    save_key(table, series, save.early);
}

/// What windows keep for all keys together.
void Engine::Impl::save_windows(base::Monotonic now, base::Bytes& out) const {
    for (std::uint32_t rule = 0; rule < data.rules.size(); ++rule) {
        const std::uint32_t leader = windows[rule].leader;
        std::int64_t watermark = kNoWatermark;
        if (timed[leader] != nullptr) watermark = timed[leader]->watermark;
        if (sessions[leader] != nullptr) watermark = sessions[leader]->watermark;
        if (slidings[leader] != nullptr) watermark = slidings[leader]->watermark;
        if (watermark == kNoWatermark && (timed[leader] == nullptr || timed[leader]->next_ms == kNoWatermark)) continue;
        RecordWriter record(out, StateRecord::window);
        base::append_le(out, data.rules[rule].window->fingerprint);
        base::append_le(out, static_cast<std::uint64_t>(watermark));
        if (timed[leader] != nullptr) save_panes(leader, now, out);
        record.close();
    }
}

void Engine::Impl::save_seen(std::uint32_t table, std::uint32_t series, base::Bytes& out) const {
    if (!tables[table].forgets()) return;
    const std::int64_t turns = save.turn - tables[table].order(series).seen;
    append_entry(out, seen_entry(), [&] { base::append_le(out, static_cast<std::uint64_t>(turns)); });
}

void Engine::Impl::save_key(std::uint32_t table, std::uint32_t series, base::Bytes& out) const {
    const base::Monotonic now = save.now;
    const std::string_view key = tables[table].key(series);
    const std::byte* row = tables[table].row(series);
    RecordWriter record(out, StateRecord::key);
    base::append_le(out, data.tables[table].fingerprint);
    base::append_le(out, static_cast<std::uint16_t>(key.size()));
    base::append(out, key);
    save_seen(table, series, out);
    for (const std::uint32_t op : table_ops[table])
        append_entry(out, data.ops[op].fingerprint, [&] { runner.save(data.ops[op], row, now, out); });
    for (const std::uint32_t rule : table_rules[table]) {
        if (windows[rule].shared == nullptr) {
            append_entry(out, windows[rule].plan->fingerprint, [&] { save_window(rule, nullptr, series, now, out); });
            continue;
        }
        for (const WindowMember& member : windows[rule].shared->members) {
            if (member.own->table == table)
                append_entry(out, member.own->fingerprint, [&] { save_window(rule, &member, series, now, out); });
        }
    }
    record.close();
    for (const std::uint32_t rule : table_rules[table]) {
        if (windows[rule].shared != nullptr) save_for_members(*windows[rule].shared, series, out);
    }
}

base::Status Engine::Impl::restore_windows(base::ByteView record, const RestoreMoment& moment) {
    StateReader reader(record);
    const auto fingerprint = reader.number<std::uint64_t>();
    const auto watermark = static_cast<std::int64_t>(reader.number<std::uint64_t>());
    if (!reader.ok()) return base::Error{base::Errc::corrupt};
    const auto found = std::find_if(data.rules.begin(), data.rules.end(),
                                    [&](const RulePlan& rule) { return rule.window && rule.window->fingerprint == fingerprint; });
    if (found == data.rules.end()) return {};
    const auto rule = static_cast<std::uint32_t>(found - data.rules.begin());
    if (windows[rule].leader != rule) return {};  // the leader has the same
    // Of a whole stream only its owner: another shard would never close these windows.
    const PartitionPlan& partition = data.partitions[*found->partition];
    if (!partition.whole.empty() && whole_owners[*found->partition] != options.shard) return {};
    for (std::int64_t* known :
         {timed[rule] != nullptr ? &timed[rule]->watermark : nullptr, sessions[rule] != nullptr ? &sessions[rule]->watermark : nullptr,
          slidings[rule] != nullptr ? &slidings[rule]->watermark : nullptr}) {
        if (known != nullptr) *known = std::max(*known, watermark);
    }
    if (timed[rule] != nullptr && !restore_panes(rule, reader, moment)) return base::Error{base::Errc::corrupt};
    return reader.ok() && reader.empty() ? base::Status{} : base::Error{base::Errc::corrupt};
}

std::optional<std::uint64_t> Engine::Impl::turns_since_seen(base::ByteView record) const {
    StateReader reader(record);
    const auto fingerprint = reader.number<std::uint64_t>();
    const auto found =
        std::find_if(data.tables.begin(), data.tables.end(), [&](const TablePlan& table) { return table.fingerprint == fingerprint; });
    if (found == data.tables.end() || !found->forgets) return std::nullopt;
    (void)reader.bytes(reader.number<std::uint16_t>());
    const bool is_seen = reader.number<std::uint64_t>() == seen_entry() && reader.number<std::uint32_t>() == sizeof(std::uint64_t);
    return is_seen ? std::optional(reader.number<std::uint64_t>()) : std::nullopt;
}

base::Status Engine::Impl::restore_key(base::ByteView record, const RestoreMoment& moment) {
    StateReader reader(record);
    const auto fingerprint = reader.number<std::uint64_t>();
    const auto key_size = reader.number<std::uint16_t>();
    const std::string_view key = base::as_text(reader.bytes(key_size));
    if (!reader.ok()) return base::Error{base::Errc::corrupt};
    const auto found =
        std::find_if(data.tables.begin(), data.tables.end(), [&](const TablePlan& table) { return table.fingerprint == fingerprint; });
    if (found == data.tables.end()) return {};
    const auto table = static_cast<std::uint32_t>(found - data.tables.begin());
    if (!owns(data.partitions[found->owner], found->owner, key)) return {};
    if (stands_empty[table]) return {};  // the leader's table has the key, and takes what belongs to it
    std::vector<Value> values(data.keys[found->key].nodes.size());
    if (!decode_key(key, values)) return base::Error{base::Errc::corrupt};
    const auto series = tables[table].add(key);
    const auto no_room = [&] {
        for (const std::uint32_t op : table_ops[table]) {
            for (const std::uint32_t rule : data.ops[op].rules) ++counters[rule].state_full;
        }
        for (const std::uint32_t rule : table_rules[table]) ++charged[rule]->state_full;
        return base::Error{base::Errc::limit};
    };
    if (!series && tables[table].forgets()) {  // it is older than those that there was room for
        for (const std::uint32_t rule : table_users[table]) ++counters[rule].keys_forgotten;
        return {};
    }
    if (!series) return no_room();
    charge(table);
    for (const std::uint32_t rule : table_rules[table]) {
        for (std::size_t i = 0; windows[rule].shared != nullptr && i < windows[rule].shared->members.size(); ++i)
            entries.here[windows[rule].shared->members[i].rule] = {};
    }
    const std::uint64_t refused = pool.charged().refused;
    // What cannot be taken over is damaged, or there was no room for all of it.
    const auto wrong = [&] { return pool.charged().refused != refused ? no_room() : base::Error{base::Errc::corrupt}; };
    while (!reader.empty()) {
        const auto entry = reader.number<std::uint64_t>();
        const auto size = reader.number<std::uint32_t>();
        const base::ByteView bytes = reader.bytes(size);
        if (!reader.ok()) return base::Error{base::Errc::corrupt};
        if (tables[table].forgets() && entry == seen_entry()) {
            StateReader seen(bytes);
            const auto turns = seen.number<std::uint64_t>();
            if (!seen.ok() || !seen.empty() || turns > kTurnsMax) return base::Error{base::Errc::corrupt};
            tables[table].order(*series).seen = static_cast<std::int64_t>(turn) - static_cast<std::int64_t>(turns);
            continue;
        }
        for (const std::uint32_t op : table_ops[table]) {
            if (data.ops[op].fingerprint == entry && !runner.restore(data.ops[op], bytes, moment.clock(), tables[table].row(*series)))
                return wrong();
        }
        for (const std::uint32_t rule : table_rules[table]) {
            if (windows[rule].shared == nullptr && windows[rule].plan->fingerprint == entry &&
                !restore_window(rule, *series, bytes, moment))
                return wrong();
        }
        if (const auto shares = grouped_windows.find(entry); shares != grouped_windows.end()) entries.here[shares->second] = bytes;
    }
    for (const std::uint32_t rule : table_rules[table]) {
        if (windows[rule].shared == nullptr) continue;
        charge_window(rule);
        const bool taken = restore_shared(*windows[rule].shared, *series, key, moment);
        charge(table);
        if (!taken) return wrong();
    }
    return {};
}

bool Engine::save_some(SaveCursor& cursor, std::size_t budget, base::Monotonic now, base::WallTime wall, base::Bytes& out) {
    Impl::Save& save = impl_->save;
    const std::size_t start = out.size();
    if (!cursor.started) {
        cursor = {.started = true};
        base::append(out, kStateMagic);
        base::append_le(out, kVersion);
        base::append_le(out, static_cast<std::uint64_t>(base::to_ms(wall)));
        impl_->save_windows(now, out);
        save.under_way = true;
        save.now = now;
        save.turn = static_cast<std::int64_t>(impl_->turn);
        save.early.clear();
        save.to_do.clear();
        for (const KeyTable& table : impl_->tables) {
            auto& to_do = save.to_do.emplace_back(table.rows(), true);
            for (std::uint32_t series = 0; series < to_do.size() && table.size() < table.rows(); ++series)
                to_do[series] = table.has_key(series);
        }
    }
    base::append(out, save.early);
    save.early.clear();
    for (; cursor.table < save.to_do.size(); ++cursor.table, cursor.series = 0) {
        for (; cursor.series < save.to_do[cursor.table].size(); ++cursor.series) {
            if (out.size() - start >= budget) return true;
            if (!save.to_do[cursor.table][cursor.series]) continue;
            impl_->save_key(static_cast<std::uint32_t>(cursor.table), static_cast<std::uint32_t>(cursor.series), out);
            save.to_do[cursor.table][cursor.series] = false;
        }
    }
    save.under_way = false;
    return false;
}

base::Status Engine::restore(base::ByteView saved, base::Monotonic now, base::WallTime wall, bool interrupted) {
    StateReader reader(saved);
    if (base::as_text(reader.bytes(kStateMagic.size())) != kStateMagic) return base::Error{base::Errc::corrupt};
    const auto version = reader.number<std::uint16_t>();
    if (!reader.ok()) return base::Error{base::Errc::corrupt};
    if (version < kVersionOldest || version > kVersion) return base::Error{base::Errc::version};
    const auto saved_ms = static_cast<std::int64_t>(reader.number<std::uint64_t>());
    if (!reader.ok()) return base::Error{base::Errc::corrupt};
    if (impl_->expected == 0) impl_->expect({&saved, 1});
    --impl_->expected;
    impl_->restored = true;
    impl_->reading_at = std::max(impl_->reading_at, now);  // what is put out before the next one came no earlier
    impl_->find_entries_elsewhere(saved);
    const std::int64_t wall_ms = base::to_ms(wall);
    const Impl::RestoreMoment moment{.now = now,
                                     .wall = wall,
                                     .away_ms = saved_ms >= 0 && wall_ms > saved_ms ? wall_ms - saved_ms : 0,
                                     .interrupted = interrupted,
                                     .same_moment = wall_ms == saved_ms,
                                     .version = version};
    const Impl::Walk walk(*impl_);
    base::Status all;
    struct Aged {
        std::uint64_t turns;
        base::ByteView record;
    };
    std::vector<Aged> aged;  // of tables that forget: the last seen come first, if there should be less room than there was
    const auto take = [&](const base::Status& restored) {
        if (!restored && (all || all.error().code == base::Errc::limit)) all = restored;
    };
    while (!reader.empty()) {
        const auto kind = static_cast<StateRecord>(reader.number<base::Byte>());
        const auto size = reader.number<std::uint32_t>();
        const base::ByteView record = reader.bytes(size);
        if (!reader.ok() || (kind != StateRecord::window && kind != StateRecord::key)) {
            take(base::Error{base::Errc::corrupt});
            break;
        }
        const auto turns = kind == StateRecord::key && !impl_->rooms.empty() ? impl_->turns_since_seen(record) : std::nullopt;
        if (turns)
            aged.push_back({*turns, record});
        else
            take(kind == StateRecord::window ? impl_->restore_windows(record, moment) : impl_->restore_key(record, moment));
        if (!all && all.error().code != base::Errc::limit) break;
    }
    std::ranges::stable_sort(aged, {}, &Aged::turns);
    for (const Aged& each : aged) take(impl_->restore_key(each.record, moment));
    for (KeyTable& table : impl_->tables) {
        if (table.forgets()) table.sort_by_seen();
    }
    impl_->entries.elsewhere.clear();
    impl_->find_next_due();
    return all;
}

void Engine::expect(std::span<const base::ByteView> saved) { impl_->expect(saved); }

}  // namespace sluice::rules
