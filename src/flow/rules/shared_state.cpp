// Saved state of windows that several rules share: written for each of them, as that rule alone would have it, and put together again.
// docs/decisions/0036
#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {

void Engine::Impl::save_for_members(const SharedWindow& shared, std::uint32_t series, base::Bytes& out) const {
    const std::uint32_t table = shared.window.table;
    for (const WindowMember& member : shared.members) {
        if (member.own->table == table) continue;
        RecordWriter record(out, StateRecord::key);
        const std::string_view key = tables[table].key(series);
        base::append_le(out, data.tables[member.own->table].fingerprint);
        base::append_le(out, static_cast<std::uint16_t>(key.size()));
        base::append(out, key);
        save_seen(table, series, out);
        append_entry(out, member.own->fingerprint, [&] { save_window(shared.members[0].rule, &member, series, save.now, out); });
        record.close();
    }
}

void Engine::Impl::find_entries_elsewhere(base::ByteView saved) {
    std::unordered_map<std::uint64_t, const WindowMember*> wanted;  // by fingerprint of the table
    for (const auto& shared : shared_windows) {
        for (const WindowMember& member : shared->members) {
            if (member.contributes && member.own->table != shared->window.table)
                wanted.emplace(data.tables[member.own->table].fingerprint, &member);
        }
    }
    entries.elsewhere.clear();
    if (wanted.empty()) return;
    StateReader reader(saved);
    (void)reader.bytes(kStateMagic.size() + sizeof(std::uint16_t) + sizeof(std::uint64_t));
    while (!reader.empty() && reader.ok()) {
        const auto kind = static_cast<StateRecord>(reader.number<base::Byte>());
        StateReader record(reader.bytes(reader.number<std::uint32_t>()));
        if (kind != StateRecord::key) continue;
        const auto found = wanted.find(record.number<std::uint64_t>());
        if (found == wanted.end()) continue;
        const std::string_view key = base::as_text(record.bytes(record.number<std::uint16_t>()));
        while (!record.empty() && record.ok()) {
            const auto fingerprint = record.number<std::uint64_t>();
            const base::ByteView entry = record.bytes(record.number<std::uint32_t>());
            if (record.ok() && fingerprint == found->second->own->fingerprint) entries.elsewhere[found->second->rule][key] = entry;
        }
    }
}

/// Puts the entries of the members together to what a rule with the accumulators of all would have saved.
bool Engine::Impl::restore_shared(SharedWindow& shared, std::uint32_t series, std::string_view key, const RestoreMoment& moment) {
    std::vector<SavedWindow> saved;
    std::vector<const WindowMember*> of;
    for (const WindowMember& member : shared.members) {
        if (!member.contributes && !saved.empty()) continue;
        base::ByteView entry = entries.here[member.rule];
        if (member.own->table != shared.window.table) {
            const auto& by_key = entries.elsewhere[member.rule];
            const auto found = by_key.find(key);
            entry = found == by_key.end() ? base::ByteView{} : found->second;
        }
        saved.emplace_back(*member.own, entry, data.limits.window_rows_max);
        of.push_back(&member);
    }
    if (saved[0].is_empty()) return saved[0].ok();
    base::Bytes whole;
    base::append(whole, saved[0].front());
    std::vector<base::ByteView> items(shared.window.accumulators.size());
    while (saved[0].next()) {
        base::append(whole, saved[0].together());
        for (std::size_t i = 0; i < saved.size(); ++i) {
            if (i > 0 && !saved[i].next()) return false;
            for (std::size_t k = 0; k < of[i]->accumulators.size(); ++k) items[of[i]->accumulators[k]] = saved[i].items()[k];
        }
        for (const base::ByteView item : items) base::append(whole, item);
    }
    return saved[0].ok() && restore_window(shared.members[0].rule, series, whole, moment);
}

}  // namespace sluice::rules
