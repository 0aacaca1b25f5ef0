// Saved state: docs/formats/rule_state.md. What is read back is outside input: a bad value is `corrupt`, never a crash.
#include <algorithm>
#include <cstring>

#include "base/hash.hpp"
#include "flow/rules/engine_impl.hpp"
#include "flow/rules/state_bytes.hpp"

namespace sluice::rules {
namespace {

constexpr std::string_view kMagic = "SLRS";
constexpr std::uint16_t kVersion = 1;
enum Record : base::Byte { kWindow = 1, kKey = 2 };

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

const WindowHead& head_of(const WindowPlan& window, const std::byte* row) {
    return *reinterpret_cast<const WindowHead*>(row + window.offset);
}
bool is_hopping(const WindowPlan& window) { return window.by_count && window.hop != window.length; }

}  // namespace

bool Engine::Impl::owns(const PartitionPlan& partition, std::uint32_t index, std::string_view key) const {
    return (partition.whole.empty() ? base::shard_of(base::hash64(key), options.shards) : whole_owners[index]) == options.shard;
}

void Engine::Impl::save_windows(base::Monotonic now, base::Bytes& out) const {
    const auto save_span = [&](std::uint32_t rule, const TimeWindow::Span& span, bool closing) {
        RecordWriter record(out, kWindow);
        base::append_le(out, data.rules[rule].window->fingerprint);
        base::append_le(out, span.turn);
        out.push_back(closing ? 1 : 0);
        base::append_le(out, static_cast<std::uint64_t>(span.start_ms));
        base::append_le(out, static_cast<std::uint64_t>(span.end_ms));
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(std::max(span.deadline - now, base::Monotonic::duration(0)));
        base::append_le(out, static_cast<std::uint64_t>(left.count()));
        record.close();
    };
    for (const std::uint32_t rule : timed_rules) {
        const TimeWindow& run = windows[rule];
        if (run.draining) save_span(rule, run.closing, true);
        if (run.open) save_span(rule, run.current, false);
    }
}

void Engine::Impl::save_window_state(const WindowPlan& window, const std::byte* row, base::Bytes& out) const {
    const WindowHead& head = head_of(window, row);
    base::append_le(out, head.count);
    base::append_le(out, head.since);
    base::append_le(out, head.turn);
    if (is_hopping(window)) {
        const auto* ring = reinterpret_cast<const StoredValue*>(row + window.ring);
        const std::size_t width = window.accumulators.size();
        for (std::uint32_t i = 0; i < head.count; ++i) {
            const std::size_t at = (head.count < window.length ? i : (head.head + i) % window.length) * width;
            for (std::size_t k = 0; k < width; ++k) save_value(out, pool.load(ring[at + k]));
        }
        return;
    }
    for (const AccumulatorPlan& accumulator : window.accumulators)
        runner.accumulators().save(accumulator.kind, row + window.offset + accumulator.offset, out);
}

void Engine::Impl::save_key(std::uint32_t table, std::uint32_t series, base::Bytes& out) const {
    const std::string_view key = tables[table].key(series);
    const std::byte* row = tables[table].row(series);
    RecordWriter record(out, kKey);
    base::append_le(out, data.tables[table].fingerprint);
    base::append_le(out, static_cast<std::uint16_t>(key.size()));
    base::append(out, key);
    for (const std::uint32_t op : table_ops[table])
        append_entry(out, data.ops[op].fingerprint, [&] { runner.save(data.ops[op], row, out); });
    for (const std::uint32_t rule : table_rules[table]) {
        const WindowPlan& window = *data.rules[rule].window;
        append_entry(out, window.fingerprint, [&] { save_window_state(window, row, out); });
    }
    record.close();
}

base::Status Engine::Impl::restore_window(base::ByteView record, const RestoreMoment& moment, std::vector<TurnMap>& turns) {
    StateReader reader(record);
    const auto fingerprint = reader.number<std::uint64_t>();
    const auto saved_turn = reader.number<std::uint32_t>();
    const bool closing = reader.number<base::Byte>() != 0;
    const auto start = static_cast<std::int64_t>(reader.number<std::uint64_t>());
    const auto end = static_cast<std::int64_t>(reader.number<std::uint64_t>());
    const auto left = static_cast<std::int64_t>(reader.number<std::uint64_t>());
    const auto rule = std::find_if(timed_rules.begin(), timed_rules.end(),
                                   [&](std::uint32_t r) { return data.rules[r].window->fingerprint == fingerprint; });
    if (!reader.ok() || !reader.empty()) return base::Error{base::Errc::corrupt};
    if (rule == timed_rules.end()) return {};
    const std::int64_t span = data.rules[*rule].window->span.count();
    constexpr std::int64_t kFar = std::int64_t{1} << 52;  // milliseconds: far beyond any date, and safe to compute with
    if (saved_turn == 0 || left < 0 || left > span || start < -kFar || start > kFar || end != start + span)
        return base::Error{base::Errc::corrupt};
    const std::int64_t wall_ms = base::to_ms(moment.wall);
    if (moment.interrupted && (closing || end <= wall_ms)) return {};  // its row may be out already
    TimeWindow& run = windows[*rule];
    TimeWindow::Span& into = closing ? run.closing : run.current;
    bool& there = closing ? run.draining : run.open;
    // What another shard saved of the same window goes into the one that is there.
    if (!there) {
        there = true;
        if (++run.turns == 0) ++run.turns;
        // By the wall clock the end may have passed; but the clock may lie after a restart, so never longer than was left.
        const std::int64_t wait = std::clamp<std::int64_t>(end - wall_ms, 0, closing ? 0 : left);
        into = {
            .turn = run.turns, .start_ms = start, .end_ms = end, .deadline = moment.now + std::chrono::milliseconds(wait), .series = {}};
        if (closing) run.emitted = 0;
    }
    turns.push_back({.rule = *rule, .saved = saved_turn, .here = into.turn, .closing = closing});
    return {};
}

bool Engine::Impl::restore_window_state(std::uint32_t rule, std::uint32_t series, base::ByteView in, const std::vector<TurnMap>& turns) {
    const WindowPlan& window = *data.rules[rule].window;
    std::byte* row = tables[window.table].row(series);
    auto& head = *reinterpret_cast<WindowHead*>(row + window.offset);
    StateReader reader(in);
    const WindowHead saved{.count = reader.number<std::uint32_t>(),
                           .head = 0,
                           .since = reader.number<std::uint32_t>(),
                           .turn = reader.number<std::uint32_t>()};
    head = {};
    clear(window, row + window.offset);
    if (!reader.ok()) return false;
    if (window.by_count && (saved.count > window.length || saved.since >= window.hop)) return false;
    if (is_hopping(window)) {
        auto* ring = reinterpret_cast<StoredValue*>(row + window.ring);
        for (std::size_t i = 0; i < saved.count * window.accumulators.size(); ++i) {
            const Value value = reader.value();
            if (!reader.ok() || !pool.store(value, ring[i])) return false;
        }
        head = saved;
        return reader.empty();
    }
    base::ByteView rest = reader.rest();
    for (const AccumulatorPlan& accumulator : window.accumulators) {
        if (!runner.accumulators().restore(accumulator.kind, rest, row + window.offset + accumulator.offset)) {
            clear(window, row + window.offset);
            return false;
        }
    }
    if (!rest.empty()) return false;
    head = saved;
    if (window.by_count) return true;
    const auto turn_of =
        std::find_if(turns.begin(), turns.end(), [&](const TurnMap& map) { return map.rule == rule && map.saved == saved.turn; });
    if (turn_of == turns.end()) {  // its window was out already
        head.turn = 0;
        clear(window, row + window.offset);
        return true;
    }
    head.turn = turn_of->here;
    TimeWindow& run = windows[rule];
    (turn_of->closing ? run.closing : run.current).series.push_back(series);
    return true;
}

base::Status Engine::Impl::restore_key(base::ByteView record, const std::vector<TurnMap>& turns) {
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
    std::vector<Value> parts(data.keys[found->key].nodes.size());
    if (!decode_key(key, parts)) return base::Error{base::Errc::corrupt};
    const auto series = tables[table].add(key);
    if (!series) {
        for (const std::uint32_t op : table_ops[table]) {
            for (const std::uint32_t rule : data.ops[op].rules) ++counters[rule].state_full;
        }
        for (const std::uint32_t rule : table_rules[table]) ++counters[rule].state_full;
        return {};
    }
    while (!reader.empty()) {
        const auto entry = reader.number<std::uint64_t>();
        const auto size = reader.number<std::uint32_t>();
        const base::ByteView bytes = reader.bytes(size);
        if (!reader.ok()) return base::Error{base::Errc::corrupt};
        for (const std::uint32_t op : table_ops[table]) {
            if (data.ops[op].fingerprint == entry && !runner.restore(data.ops[op], bytes, tables[table].row(*series)))
                return base::Error{base::Errc::corrupt};
        }
        for (const std::uint32_t rule : table_rules[table]) {
            if (data.rules[rule].window->fingerprint == entry && !restore_window_state(rule, *series, bytes, turns))
                return base::Error{base::Errc::corrupt};
        }
    }
    return {};
}

bool Engine::save_some(SaveCursor& cursor, std::size_t budget, base::Monotonic now, base::Bytes& out) const {
    const std::size_t start = out.size();
    if (!cursor.started) {
        cursor = {.started = true};
        base::append(out, kMagic);
        base::append_le(out, kVersion);
        impl_->save_windows(now, out);
    }
    for (; cursor.table < impl_->tables.size(); ++cursor.table, cursor.series = 0) {
        for (; cursor.series < impl_->tables[cursor.table].size(); ++cursor.series) {
            if (out.size() - start >= budget) return true;
            impl_->save_key(static_cast<std::uint32_t>(cursor.table), static_cast<std::uint32_t>(cursor.series), out);
        }
    }
    return false;
}

base::Status Engine::restore(base::ByteView saved, base::Monotonic now, base::WallTime wall, bool interrupted) {
    StateReader reader(saved);
    if (base::as_text(reader.bytes(kMagic.size())) != kMagic) return base::Error{base::Errc::corrupt};
    const auto version = reader.number<std::uint16_t>();
    if (!reader.ok()) return base::Error{base::Errc::corrupt};
    if (version != kVersion) return base::Error{base::Errc::version};
    std::vector<Impl::TurnMap> turns;
    while (!reader.empty()) {
        const auto kind = reader.number<base::Byte>();
        const auto size = reader.number<std::uint32_t>();
        const base::ByteView record = reader.bytes(size);
        if (!reader.ok()) return base::Error{base::Errc::corrupt};
        base::Status restored;
        if (kind == kWindow)
            restored = impl_->restore_window(record, {now, wall, interrupted}, turns);
        else if (kind == kKey)
            restored = impl_->restore_key(record, turns);
        else
            restored = base::Error{base::Errc::corrupt};
        if (!restored) return restored;
    }
    return {};
}

}  // namespace sluice::rules
