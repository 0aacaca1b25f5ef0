#include "sim/system_check.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <vector>

#include <fmt/format.h>

namespace sluice::sim {

namespace {

using StreamKey = cloud::MemoryStore::Key;

struct Span {
    std::uint64_t first;
    std::uint64_t last;
};

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

class Checker {
public:
    explicit Checker(const Evidence& evidence) : evidence_(evidence) {}

    std::string run() {
        collect();
        for (const auto check : {&Checker::check_known_and_once, &Checker::check_order, &Checker::check_numbers, &Checker::check_acked,
                                 &Checker::check_ledger})
            if (auto broken = (this->*check)(); !broken.empty()) return broken;
        return {};
    }

private:
    void collect() {
        const auto& contents = evidence_.store.committed();
        std::map<std::int64_t, StreamEvidence*> by_id;
        for (const auto& [key, stream] : contents.streams) {
            auto& row = streams_[key];
            row.next = stream.next.value();
            by_id[stream.id.value()] = &row;
        }
        for (const auto& event : contents.events)
            by_id.at(event.stream.value())->events.emplace_back(event.sequence.value(), id_of(event.json));
        for (const auto& gap : contents.gaps) {
            by_id.at(gap.stream.value())->gaps.push_back({gap.first.value(), gap.last.value()});
            unexplained_ = unexplained_ || gap.reason == "unexplained";
        }
    }

    std::string check_known_and_once() {
        for (const auto& [key, stream] : streams_) {
            for (const auto& [sequence, id] : stream.events) {
                if (!evidence_.journal.entries().contains(id)) return fmt::format("the cloud has an event {} that nobody made", id);
                if (!in_cloud_.emplace(id, std::pair(key, sequence)).second)
                    return fmt::format("promise 2: event {} is in the cloud twice", id);
            }
        }
        return {};
    }

    /// Ids grow in the order in which the gateway took the events.
    std::string check_order() {
        for (const auto& [key, stream] : streams_)
            for (std::size_t i = 1; i < stream.events.size(); ++i)
                if (stream.events[i].second <= stream.events[i - 1].second || stream.events[i].first <= stream.events[i - 1].first)
                    return fmt::format("promise 2: class {}: event {} (sequence {}) was stored behind event {} (sequence {})",
                                       std::get<2>(key), stream.events[i].second, stream.events[i].first, stream.events[i - 1].second,
                                       stream.events[i - 1].first);
        return {};
    }

    /// Every number up to `next` is an event or in one gap, never both, never neither.
    std::string check_numbers() {
        if (unexplained_) return "promise 3: the cloud found a hole that nobody explained";
        for (const auto& [key, stream] : streams_) {
            std::vector<Span> spans = stream.gaps;
            for (const auto& [sequence, id] : stream.events) spans.push_back({sequence, sequence});
            std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.first < b.first; });
            std::uint64_t expected = 1;
            for (const auto& span : spans) {
                if (span.first != expected)
                    return fmt::format("promise 3: class {}: after {} comes {}", std::get<2>(key), expected - 1, span.first);
                expected = span.last + 1;
            }
            if (expected != stream.next)
                return fmt::format("class {}: the cloud expects {} but has numbers up to {}", std::get<2>(key), stream.next, expected - 1);
        }
        return {};
    }

    std::string check_acked() {
        for (const auto& [id, entry] : evidence_.journal.entries()) {
            if (!entry.acked) continue;
            const StreamKey key{GatewayMachine::kId, entry.epoch.value(), GatewayMachine::kClassNames[entry.event_class.value()]};
            const auto found = in_cloud_.find(id);
            if (found != in_cloud_.end()) {
                if (found->second != std::pair(key, entry.sequence.value()))
                    return fmt::format("event {} got number {} from the spool and has number {} in the cloud", id, entry.sequence.value(),
                                       found->second.second);
                continue;
            }
            const auto stream = streams_.find(key);
            const bool told =
                stream != streams_.end() && std::any_of(stream->second.gaps.begin(), stream->second.gaps.end(), [&](const Span& gap) {
                    return gap.first <= entry.sequence.value() && entry.sequence.value() <= gap.last;
                });
            if (!told)
                return fmt::format("promise 1: event {} of an acknowledged reading is neither in the cloud nor reported as dropped", id);
            ++missing_[entry.event_class.value()];
            if (evidence_.plan.lossless())
                return fmt::format("promise 1: event {} of an acknowledged reading was dropped though no limit was reached", id);
        }
        return {};
    }

    std::string check_ledger() {
        for (std::size_t i = 0; i < evidence_.gateway.classes.size(); ++i) {
            const auto& row = evidence_.gateway.classes[i];
            const auto stored = stored_of(row.name);
            if (row.waiting != 0) return fmt::format("class {}: {} events wait after the end", row.name, row.waiting);
            if (row.dropped_total() < missing_[i])
                return fmt::format("promise 3: class {}: {} events are missing and {} are counted as dropped", row.name, missing_[i],
                                   row.dropped_total());
            if (row.delivered > stored)
                return fmt::format("class {}: {} events are counted as delivered and {} are in the cloud", row.name, row.delivered, stored);
        }
        return {};
    }

    [[nodiscard]] std::size_t stored_of(const std::string& class_name) const {
        std::size_t count = 0;
        for (const auto& [key, stream] : streams_) count += std::get<2>(key) == class_name ? stream.events.size() : 0;
        return count;
    }

    const Evidence& evidence_;
    std::map<StreamKey, StreamEvidence> streams_;
    std::map<std::uint64_t, std::pair<StreamKey, std::uint64_t>> in_cloud_;  // by id
    std::map<std::size_t, std::uint64_t> missing_;
    bool unexplained_ = false;
};

}  // namespace

std::string find_broken_promise(const Evidence& evidence) { return Checker(evidence).run(); }

}  // namespace sluice::sim
