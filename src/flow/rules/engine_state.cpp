// Saved state: docs/formats/rule_state.md. What is read back is outside input: a bad value is `corrupt`, never a crash.
#include <algorithm>
#include <cstring>

#include "base/hash.hpp"
#include "flow/rules/engine_impl.hpp"
#include "flow/rules/state_bytes.hpp"

namespace sluice::rules {
namespace {

constexpr std::string_view kMagic = "SLRS";
constexpr std::uint16_t kVersion = 3;
constexpr std::uint16_t kVersionOldest = 2;
/// Readings of a shard, ever.
constexpr std::uint64_t kTurnsMax = std::uint64_t{1} << 62;
enum Record : base::Byte { kWindow = 1, kKey = 2 };
/// The entry of a key that says when it was seen last, in place of an operator's fingerprint.
std::uint64_t seen_entry() { return base::hash64("seen"); }

/// A record's length is known when its end is.
class RecordWriter {
public:
    RecordWriter(base::Bytes& out, Record kind) : out_(out) {
        out.push_back(kind);
        start_ = out.size();
        base::append_le(out, std::uint32_t{0});
    }
    void close() { base::store_le(out_.data() + start_, static_cast<std::uint32_t>(out_.size() - start_ - sizeof(std::uint32_t))); }

private:
    base::Bytes& out_;
    std::size_t start_ = 0;
};

/// Fingerprint, size, bytes.
template <class Write>
void append_entry(base::Bytes& out, std::uint64_t fingerprint, Write write) {
    base::append_le(out, fingerprint);
    const std::size_t at = out.size();
    base::append_le(out, std::uint32_t{0});
    write();
    base::store_le(out.data() + at, static_cast<std::uint32_t>(out.size() - at - sizeof(std::uint32_t)));
}

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
        std::int64_t watermark = kNoWatermark;
        if (timed[rule] != nullptr) watermark = timed[rule]->watermark;
        if (sessions[rule] != nullptr) watermark = sessions[rule]->watermark;
        if (slidings[rule] != nullptr) watermark = slidings[rule]->watermark;
        if (watermark == kNoWatermark && (timed[rule] == nullptr || timed[rule]->next_ms == kNoWatermark)) continue;
        RecordWriter record(out, kWindow);
        base::append_le(out, data.rules[rule].window->fingerprint);
        base::append_le(out, static_cast<std::uint64_t>(watermark));
        if (timed[rule] != nullptr) save_panes(rule, now, out);
        record.close();
    }
}

void Engine::Impl::save_key(std::uint32_t table, std::uint32_t series, base::Bytes& out) const {
    const base::Monotonic now = save.now;
    const std::string_view key = tables[table].key(series);
    const std::byte* row = tables[table].row(series);
    RecordWriter record(out, kKey);
    base::append_le(out, data.tables[table].fingerprint);
    base::append_le(out, static_cast<std::uint16_t>(key.size()));
    base::append(out, key);
    if (tables[table].forgets()) {
        const std::int64_t turns = save.turn - tables[table].order(series).seen;
        append_entry(out, seen_entry(), [&] { base::append_le(out, static_cast<std::uint64_t>(turns)); });
    }
    for (const std::uint32_t op : table_ops[table])
        append_entry(out, data.ops[op].fingerprint, [&] { runner.save(data.ops[op], row, now, out); });
    for (const std::uint32_t rule : table_rules[table]) {
        const WindowPlan& window = *data.rules[rule].window;
        append_entry(out, window.fingerprint, [&] { save_window(rule, series, now, out); });
    }
    record.close();
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
    std::vector<Value> values(data.keys[found->key].nodes.size());
    if (!decode_key(key, values)) return base::Error{base::Errc::corrupt};
    const auto series = tables[table].add(key);
    const auto no_room = [&] {
        for (const std::uint32_t op : table_ops[table]) {
            for (const std::uint32_t rule : data.ops[op].rules) ++counters[rule].state_full;
        }
        for (const std::uint32_t rule : table_rules[table]) ++counters[rule].state_full;
        return base::Error{base::Errc::limit};
    };
    if (!series && tables[table].forgets()) {  // it is older than those that there was room for
        for (const std::uint32_t rule : table_users[table]) ++counters[rule].keys_forgotten;
        return {};
    }
    if (!series) return no_room();
    charge(table);
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
            if (data.rules[rule].window->fingerprint == entry && !restore_window(rule, *series, bytes, moment)) return wrong();
        }
    }
    return {};
}

bool Engine::save_some(SaveCursor& cursor, std::size_t budget, base::Monotonic now, base::WallTime wall, base::Bytes& out) {
    Impl::Save& save = impl_->save;
    const std::size_t start = out.size();
    if (!cursor.started) {
        cursor = {.started = true};
        base::append(out, kMagic);
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
    if (base::as_text(reader.bytes(kMagic.size())) != kMagic) return base::Error{base::Errc::corrupt};
    const auto version = reader.number<std::uint16_t>();
    if (!reader.ok()) return base::Error{base::Errc::corrupt};
    if (version < kVersionOldest || version > kVersion) return base::Error{base::Errc::version};
    const auto saved_ms = static_cast<std::int64_t>(reader.number<std::uint64_t>());
    if (!reader.ok()) return base::Error{base::Errc::corrupt};
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
        const auto kind = reader.number<base::Byte>();
        const auto size = reader.number<std::uint32_t>();
        const base::ByteView record = reader.bytes(size);
        if (!reader.ok() || (kind != kWindow && kind != kKey)) {
            take(base::Error{base::Errc::corrupt});
            break;
        }
        const auto turns = kind == kKey && !impl_->rooms.empty() ? impl_->turns_since_seen(record) : std::nullopt;
        if (turns)
            aged.push_back({*turns, record});
        else
            take(kind == kWindow ? impl_->restore_windows(record, moment) : impl_->restore_key(record, moment));
        if (!all && all.error().code != base::Errc::limit) break;
    }
    std::ranges::stable_sort(aged, {}, &Aged::turns);
    for (const Aged& each : aged) take(impl_->restore_key(each.record, moment));
    for (KeyTable& table : impl_->tables) {
        if (table.forgets()) table.sort_by_seen();
    }
    impl_->find_next_due();
    return all;
}

}  // namespace sluice::rules
