#include "windows.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "base/check.hpp"

namespace sluice::rules::plain {
namespace {

std::int64_t floor_to(std::int64_t at, std::int64_t step) {
    return static_cast<std::int64_t>(std::floor(static_cast<double>(at) / static_cast<double>(step))) * step;
}

Group* find(std::vector<Group>& groups, const std::vector<Datum>& key) {
    const auto found = std::find_if(groups.begin(), groups.end(), [&](const Group& group) { return same_key(group.key, key); });
    return found == groups.end() ? nullptr : &*found;
}

void add(Group& group, std::size_t row, std::int64_t at) {
    group.rows.push_back(row);
    group.at.push_back(at);
}

}  // namespace

std::vector<Datum> Windows::key(std::size_t row) const { return interpreter_.values(query_.group_by, row); }

std::vector<Group> Windows::all() {
    const WindowCall& call = *query_.window;
    const std::int64_t first = call.numbers[0];
    const std::int64_t second = call.numbers.back();
    if (call.name == "countwindow") return counted(first, second);
    base::check(call.unit == "ms", "plain rules: a unit that is not known");
    if (call.name == "slidingwindow") return sliding(first);
    if (call.name == "sessionwindow") return sessions(first, second);
    return hopping(first, second);  // a tumbling window hops by its length
}

std::vector<Group> Windows::counted(std::int64_t length, std::int64_t hop) const {
    std::vector<Group> so_far;
    std::vector<Group> result;
    for (std::size_t row = 0; row < interpreter_.rows_.size(); ++row) {
        if (!interpreter_.passes(row)) continue;
        Group* group = find(so_far, key(row));
        if (group == nullptr) group = &so_far.emplace_back(Group{.key = key(row), .rows = {}, .at = {}});
        add(*group, row, static_cast<std::int64_t>(row));
        const auto count = static_cast<std::int64_t>(group->rows.size());
        if (count < length || (count - length) % hop != 0) continue;
        Group& full = result.emplace_back(*group);
        full.rows.erase(full.rows.begin(), full.rows.end() - length);
        full.at.erase(full.at.begin(), full.at.end() - length);
    }
    return result;
}

std::vector<Windows::Timed> Windows::timed() const {
    std::int64_t lateness = 0;
    if (query_.event_time) (void)std::from_chars(query_.event_time->lateness.data(), &*query_.event_time->lateness.end(), lateness);
    std::int64_t watermark = std::numeric_limits<std::int64_t>::min();
    std::vector<Timed> result;
    for (std::size_t row = 0; row < interpreter_.rows_.size(); ++row) {
        Datum at = interpreter_.rows_[row].arrived_ms;
        if (query_.event_time) at = interpreter_.value(*query_.event_time->timestamp, {.row = row});
        if (!is_number(at)) continue;
        const auto ms = static_cast<std::int64_t>(std::floor(real(at)));
        watermark = std::max(watermark, ms - lateness);
        result.push_back({.row = row, .at = ms, .watermark = watermark, .taken = interpreter_.passes(row)});
    }
    return result;
}

std::vector<Group> Windows::hopping(std::int64_t length, std::int64_t hop) {
    const std::int64_t pane = std::gcd(length, hop);
    std::map<std::int64_t, std::vector<Timed>> windows;
    for (const Timed& reading : timed()) {
        if (!reading.taken) continue;
        bool late = true;
        for (std::int64_t start = floor_to(reading.at, hop); start + length > reading.at; start -= hop) {
            if (start + length <= reading.watermark) continue;
            windows[start].push_back(reading);
            late = false;
        }
        late_ += late ? 1 : 0;
    }
    std::vector<Group> result;
    for (auto& [start, readings] : windows) {
        std::stable_sort(readings.begin(), readings.end(),
                         [&](const Timed& a, const Timed& b) { return floor_to(a.at, pane) < floor_to(b.at, pane); });
        std::vector<Group> groups;
        for (const Timed& reading : readings) {
            Group* group = find(groups, key(reading.row));
            if (group == nullptr)
                group = &groups.emplace_back(
                    Group{.key = key(reading.row), .rows = {}, .at = {}, .timed = true, .start_ms = start, .end_ms = start + length});
            add(*group, reading.row, reading.at);
        }
        result.insert(result.end(), groups.begin(), groups.end());
    }
    return result;
}

std::vector<Group> Windows::sliding(std::int64_t length) {
    const std::vector<Timed> readings = timed();
    struct DueRow {
        std::size_t out_at;  ///< index of the reading that takes the watermark to its time
        std::size_t reading;
    };
    std::vector<DueRow> due;
    for (std::size_t i = 0; i < readings.size(); ++i) {
        if (!readings[i].taken) continue;
        if (readings[i].at < readings[i].watermark) {
            ++late_;
            continue;
        }
        std::size_t out_at = i;
        while (out_at < readings.size() && readings[out_at].watermark < readings[i].at) ++out_at;
        due.push_back({.out_at = out_at, .reading = i});
    }
    std::stable_sort(due.begin(), due.end(), [&](const DueRow& a, const DueRow& b) {
        return a.out_at != b.out_at ? a.out_at < b.out_at : readings[a.reading].at < readings[b.reading].at;
    });
    std::vector<Group> result;
    for (const DueRow& row : due) {
        const Timed& present = readings[row.reading];
        std::vector<Timed> in;
        for (std::size_t i = 0; i < readings.size() && i <= row.out_at; ++i) {
            const Timed& other = readings[i];
            if (other.taken && other.at >= other.watermark && other.at > present.at - length && other.at <= present.at &&
                same_key(key(other.row), key(present.row)))
                in.push_back(other);
        }
        std::stable_sort(in.begin(), in.end(), [](const Timed& a, const Timed& b) { return a.at < b.at; });
        Group& group = result.emplace_back(
            Group{.key = key(present.row), .rows = {}, .at = {}, .timed = true, .start_ms = present.at - length, .end_ms = present.at});
        for (const Timed& reading : in) add(group, reading.row, reading.at);
    }
    return result;
}

/// Times of a session are start_ms and, until it goes out, in end_ms that of its last reading.
std::vector<Group> Windows::sessions(std::int64_t longest, std::int64_t gap) {
    std::vector<Group> open;
    std::vector<Group> result;
    const auto end = [&](const Group& session) { return std::min(session.end_ms + gap, session.start_ms + longest); };
    const auto close = [&](std::int64_t watermark) {
        std::stable_sort(open.begin(), open.end(), [&](const Group& a, const Group& b) { return end(a) < end(b); });
        while (!open.empty() && end(open.front()) <= watermark) {
            result.push_back(open.front());
            result.back().end_ms = end(open.front());
            open.erase(open.begin());
        }
    };
    for (const Timed& reading : timed()) {
        close(reading.watermark);
        if (!reading.taken) continue;
        if (reading.at + gap <= reading.watermark) {
            ++late_;
            continue;
        }
        // What it touches becomes one session.
        Group joined{.key = key(reading.row), .rows = {}, .at = {}, .timed = true, .start_ms = reading.at, .end_ms = reading.at};
        std::sort(open.begin(), open.end(), [](const Group& a, const Group& b) { return a.start_ms < b.start_ms; });
        for (auto other = open.begin(); other != open.end();) {
            const bool near = reading.at > other->start_ms - gap && reading.at < other->end_ms + gap;
            const std::int64_t start = std::min(joined.start_ms, other->start_ms);
            const std::int64_t last = std::max(joined.end_ms, other->end_ms);
            if (!near || last - start >= longest || !same_key(other->key, joined.key)) {
                ++other;
                continue;
            }
            joined.start_ms = start;
            joined.end_ms = last;
            joined.rows.insert(joined.rows.end(), other->rows.begin(), other->rows.end());
            joined.at.insert(joined.at.end(), other->at.begin(), other->at.end());
            other = open.erase(other);
        }
        add(joined, reading.row, reading.at);
        open.push_back(joined);
    }
    close(std::numeric_limits<std::int64_t>::max());
    return result;
}

}  // namespace sluice::rules::plain
