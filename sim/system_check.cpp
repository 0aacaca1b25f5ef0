#include "sim/system_check.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/ledger.hpp"

namespace sluice::sim {

namespace {

using StreamKey = cloud::MemoryStore::Key;

struct Span {
    std::uint64_t first;
    std::uint64_t last;
    std::string reason;  ///< of a gap
};

constexpr std::string_view kUnexplained = "unexplained";  ///< what the cloud notes when numbers are missing without a notice

/// What the cloud has of one class of one epoch.
struct StreamEvidence {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> events;  // sequence, id; in order of storing
    std::vector<Span> gaps;
    std::uint64_t next = 0;
};

std::uint64_t id_of(const std::string& json) {
    constexpr std::string_view kHead = "{\"id\":";
    std::uint64_t id = 0;
    if (json.starts_with(kHead)) (void)std::from_chars(json.data() + kHead.size(), json.data() + json.size(), id);  // 0: no event of ours
    return id;
}

class Audit {
public:
    explicit Audit(const Evidence& evidence) : evidence_(evidence) {}

    Verdict run() {
        collect();
        for (const auto check : {&Audit::check_known_and_once, &Audit::check_order, &Audit::check_holes, &Audit::check_acked,
                                 &Audit::check_expiry, &Audit::check_ledger, &Audit::check_twins, &Audit::check_state})
            if (auto verdict = (this->*check)(); verdict.broken()) return verdict;
        return {};
    }

private:
    void collect() {
        const auto& contents = evidence_.cloud.store().committed();
        for (const auto& [key, stream] : contents.streams) {
            auto& row = streams_[key];
            row.next = stream.next.value();
            by_id_[stream.id.value()] = &row;
        }
        for (const auto& event : contents.events)
            by_id_.at(event.stream.value())->events.emplace_back(event.sequence.value(), id_of(event.json));
        for (const auto& gap : contents.gaps)
            by_id_.at(gap.stream.value())->gaps.push_back({gap.first.value(), gap.last.value(), gap.reason});
    }

    [[nodiscard]] const Journal::Entry* entry_of(std::uint64_t id) const {
        for (const auto* gateway : evidence_.gateways) {
            const auto found = gateway->journal().entries().find(id);
            if (found != gateway->journal().entries().end()) return &found->second;
        }
        return nullptr;
    }

    /// The cloud had all of these numbers before it was put back to a backup.
    [[nodiscard]] bool undone(const StreamKey& key, std::uint64_t first, std::uint64_t last) const {
        const auto found = evidence_.cloud.undone().find(key);
        if (found == evidence_.cloud.undone().end()) return false;
        for (auto number = first; number <= last; ++number)
            if (std::none_of(found->second.begin(), found->second.end(),
                             [number](const CloudMachine::Undone& row) { return row.first <= number && number <= row.last; }))
                return false;
        return true;
    }

    Verdict check_known_and_once() {
        for (const auto& event : evidence_.cloud.store().committed().events) {
            const auto id = id_of(event.json);
            const auto* entry = entry_of(id);
            if (entry == nullptr) return {Checker::content, fmt::format("the cloud has an event {} that nobody made", id)};
            if (entry->fingerprint != base::hash64(event.json)) return {Checker::content, fmt::format("event {} has been changed", id)};
        }
        for (const auto& [key, stream] : streams_)
            for (const auto& [sequence, id] : stream.events)
                if (!in_cloud_.emplace(id, std::pair(key, sequence)).second)
                    return {Checker::once, fmt::format("event {} is in the cloud twice", id)};
        return {};
    }

    /// Ids grow in the order in which the gateway took the events.
    Verdict check_order() {
        for (const auto& [key, stream] : streams_)
            for (std::size_t i = 1; i < stream.events.size(); ++i)
                if (stream.events[i].second <= stream.events[i - 1].second || stream.events[i].first <= stream.events[i - 1].first)
                    return {Checker::order, fmt::format("class {}: event {} (sequence {}) was stored behind event {} (sequence {})",
                                                        std::get<2>(key), stream.events[i].second, stream.events[i].first,
                                                        stream.events[i - 1].second, stream.events[i - 1].first)};
        return {};
    }

    /// Every number up to `next` is an event or in one gap, never both, never neither.
    Verdict check_holes() {
        for (const auto& [key, stream] : streams_) {
            std::vector<Span> spans = stream.gaps;
            for (const auto& [sequence, id] : stream.events) spans.push_back({sequence, sequence, {}});
            std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.first < b.first; });
            std::uint64_t expected = 1;
            for (const auto& span : spans) {
                const bool begins_late = expected == 1 && span.first > 1 && undone(key, 1, span.first - 1);
                if (span.first != expected && !begins_late)
                    return {Checker::holes, fmt::format("class {}: after {} comes {}", std::get<2>(key), expected - 1, span.first)};
                if (span.reason == kUnexplained && !undone(key, span.first, span.last))
                    return {Checker::holes,
                            fmt::format("class {}: nobody explained why {} to {} are missing", std::get<2>(key), span.first, span.last)};
                expected = span.last + 1;
            }
            if (expected != stream.next && !spans.empty())
                return {Checker::holes, fmt::format("class {}: the cloud expects {} but has numbers up to {}", std::get<2>(key),
                                                    stream.next, expected - 1)};
        }
        return {};
    }

    Verdict check_acked() {
        for (std::size_t i = 0; i < evidence_.gateways.size(); ++i)
            for (const auto& [id, entry] : evidence_.gateways[i]->journal().entries())
                if (entry.acked && !entry.excused)
                    if (auto verdict = check_acked(i, entry); verdict.broken()) return verdict;
        return {};
    }

    Verdict check_acked(std::size_t gateway, const Journal::Entry& entry) {
        const StreamKey key{GatewayMachine::kId, entry.epoch.value(), kClassNames[entry.event_class.value()]};
        const auto sequence = entry.sequence.value();
        if (const auto found = in_cloud_.find(entry.id); found != in_cloud_.end()) {
            if (found->second == std::pair(key, sequence)) return {};
            return {Checker::numbers, fmt::format("event {} got number {} from the spool and has number {} in the cloud", entry.id,
                                                  sequence, found->second.second)};
        }
        if (undone(key, sequence, sequence)) return {};
        // What a medium took to another place and nothing came after: one disk alone cannot tell it from what was never written.
        if (evidence_.gateways[gateway]->disk_counts().misdirected != 0) return {};
        const auto stream = streams_.find(key);
        const Span* told = nullptr;
        if (stream != streams_.end())
            for (const auto& gap : stream->second.gaps)
                if (gap.first <= sequence && sequence <= gap.last) told = &gap;
        if (told == nullptr)
            return {Checker::acked,
                    fmt::format("event {} of an acknowledged reading is neither in the cloud nor reported as dropped", entry.id)};
        ++missing_[{gateway, entry.event_class.value()}];
        if (!explained(told->reason, *evidence_.gateways[gateway]))
            return {Checker::reasons, fmt::format("event {} of an acknowledged reading (class {}, number {}) was dropped as '{}', and "
                                                  "nothing in this run explains that",
                                                  entry.id, std::get<2>(key), sequence, told->reason)};
        return {};
    }

    [[nodiscard]] bool explained(std::string_view reason, const GatewayMachine& gateway) const {
        constexpr std::uint64_t kReadAttempts = 3;  // before the spool gives up a sector
        const auto& plan = evidence_.plan;
        if (reason == base::name(base::DropReason::ttl)) return plan.time_to_live.count() != 0;
        if (reason == base::name(base::DropReason::spool_full)) return plan.may_reach_spool_limit();
        if (reason == base::name(base::DropReason::disk_full)) return plan.may_reach_disk_limit();
        if (reason == base::name(base::DropReason::corrupt))
            return plan.medium_lies() || gateway.disk_counts().failed_reads >= kReadAttempts ||
                   // no space even for a manifest: a file goes before the note of it (docs/formats/spool.md, "Order of writes")
                   plan.disk_bytes_max != UINT64_MAX;
        return false;
    }

    Verdict check_expiry() {
        for (const auto* gateway : evidence_.gateways) {
            if (gateway->clock_lied()) continue;
            std::map<std::tuple<std::uint64_t, std::uint8_t, std::uint64_t>, const Journal::Entry*> entries;
            for (const auto& [id, entry] : gateway->journal().entries())
                if (!entry.excused) entries[{entry.epoch.value(), entry.event_class.value(), entry.sequence.value()}] = &entry;
            for (const auto& gap : gateway->told()) {
                if (gap.reason != base::DropReason::ttl) continue;
                auto entry = entries.lower_bound({gap.epoch.value(), gap.event_class.value(), gap.first.value()});
                const auto end = entries.upper_bound({gap.epoch.value(), gap.event_class.value(), gap.last.value()});
                for (; entry != end; ++entry) {
                    const auto age = gap.at - entry->second->taken_at;
                    if (age < evidence_.plan.time_to_live)
                        return {Checker::ttl, fmt::format("event {} expired {:.3f} s after it was made, {:.3f} s were due",
                                                          entry->second->id, std::chrono::duration<double>(age).count(),
                                                          std::chrono::duration<double>(evidence_.plan.time_to_live).count())};
                }
            }
        }
        return {};
    }

    Verdict check_ledger() {
        for (std::size_t g = 0; g < evidence_.gateways.size(); ++g) {
            const auto stats = evidence_.gateways[g]->stats();
            const auto epoch = evidence_.gateways[g]->epoch();
            for (std::size_t i = 0; epoch && i < kClasses; ++i) {
                const auto& row = stats.classes[i];
                if (row.waiting != 0)
                    return {Checker::ledger, fmt::format("class {}: {} events wait after the end", row.name, row.waiting)};
                const auto missing = missing_[{g, i}];
                // An older manifest or none: counting begins anew (docs/formats/spool.md, "Recovery" 1).
                if (row.dropped_total() < missing && !evidence_.plan.medium_lies())
                    return {Checker::ledger, fmt::format("class {}: {} events are missing and {} are counted as dropped", row.name, missing,
                                                         row.dropped_total())};
                const StreamKey key{GatewayMachine::kId, epoch->value(), row.name};
                const auto stream = streams_.find(key);
                const std::uint64_t stored = stream == streams_.end() ? 0 : stream->second.events.size();
                if (row.delivered > stored && !evidence_.cloud.undone().contains(key) && !evidence_.plan.medium_lies())
                    return {Checker::ledger, fmt::format("class {}: {} events are counted as delivered and {} are in the cloud", row.name,
                                                         row.delivered, stored)};
            }
        }
        return {};
    }

    /// A machine was cloned with its id: each keeps throwing the other out, and that has a counter.
    Verdict check_twins() {
        if (evidence_.gateways.size() < 2 || evidence_.cloud.taken_over() != 0) return {};
        return {Checker::visible, "two gateways used one id and no connection was counted as taken over"};
    }

    /// What a reading does to rules and the event that it causes are one.
    Verdict check_state() {
        for (const auto* gateway : evidence_.gateways) {
            const auto* counted = gateway->counted();
            if (counted == nullptr) continue;
            for (const auto& [id, entry] : gateway->journal().entries()) {
                if (!entry.moves_state || entry.excused) continue;
                const bool counts = counted->contains(id);
                if (entry.acked && !counts) return {Checker::state, fmt::format("the acknowledged reading of event {} was forgotten", id)};
                if (!entry.acked && counts != in_cloud_.contains(id))
                    return {Checker::state, fmt::format("the reading of event {} was not acknowledged, and {}", id,
                                                        counts ? "counts without its event" : "its event is there without it")};
            }
        }
        return {};
    }

    const Evidence& evidence_;
    std::map<StreamKey, StreamEvidence> streams_;
    std::map<std::int64_t, StreamEvidence*> by_id_;
    std::map<std::uint64_t, std::pair<StreamKey, std::uint64_t>> in_cloud_;  // by id of the event
    std::map<std::pair<std::size_t, std::size_t>, std::uint64_t> missing_;   // by gateway and class
};

}  // namespace

Verdict find_broken_promise(const Evidence& evidence) { return Audit(evidence).run(); }

bool shows_ledger(const CloudMachine& cloud, const GatewayMachine& gateway) {
    const auto& gateways = cloud.store().committed().gateways;
    const auto found = gateways.find(GatewayMachine::kId);
    return found != gateways.end() && found->second.ledger == ledger_json(gateway.stats(), Defect::none);
}

}  // namespace sluice::sim
