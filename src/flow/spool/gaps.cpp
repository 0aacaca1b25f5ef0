#include "flow/spool/gaps.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace sluice::spool {

std::uint64_t GapList::add(std::uint64_t first, std::uint64_t last, base::DropReason reason) {
    base::check(first <= last, "spool: a gap that ends before it begins");
    std::uint64_t added = 0;
    std::vector<Entry> fresh;
    std::uint64_t at = first;
    for (const Entry& entry : entries_) {
        if (entry.last < at) continue;
        if (entry.first > last) break;
        if (entry.first > at) fresh.push_back({at, entry.first - 1, reason});
        at = entry.last + 1;
        if (at > last) break;
    }
    if (at <= last) fresh.push_back({at, last, reason});
    for (const Entry& entry : fresh) added += entry.last - entry.first + 1;
    entries_.insert(entries_.end(), fresh.begin(), fresh.end());
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.first < b.first; });
    join_neighbours();
    while (entries_.size() > kGapsMax) added += shrink();
    return added;
}

void GapList::join_neighbours() {
    std::vector<Entry> joined;
    for (const Entry& entry : entries_) {
        if (!joined.empty() && joined.back().last + 1 == entry.first && joined.back().reason == entry.reason &&
            joined.back().announced == entry.announced) {
            joined.back().last = entry.last;
        } else {
            joined.push_back(entry);
        }
    }
    entries_ = std::move(joined);
}

std::uint64_t GapList::shrink() {
    std::size_t best = 0;
    for (std::size_t i = 0; i + 1 < entries_.size(); ++i) {
        if (entries_[i + 1].first - entries_[i].last < entries_[best + 1].first - entries_[best].last) best = i;
    }
    const std::uint64_t between = entries_[best + 1].first - entries_[best].last - 1;
    entries_[best].last = entries_[best + 1].last;
    entries_[best].reason = entries_[best + 1].reason;
    entries_[best].announced = entries_[best].announced || entries_[best + 1].announced;  // on the side of counting a loss
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    return between;
}

const GapList::Entry* GapList::find(std::uint64_t sequence) const {
    for (const Entry& entry : entries_)
        if (entry.first <= sequence && sequence <= entry.last) return &entry;
    return nullptr;
}

std::uint64_t GapList::skip(std::uint64_t sequence) const {
    for (const Entry& entry : entries_)
        if (entry.first <= sequence && sequence <= entry.last) sequence = entry.last + 1;
    return sequence;
}

std::uint64_t GapList::next_gap(std::uint64_t sequence, std::uint64_t otherwise) const {
    for (const Entry& entry : entries_)
        if (entry.last >= sequence) return entry.first;
    return otherwise;
}

GapList::Entry GapList::announce(std::uint64_t sequence) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        const Entry whole = entries_[i];
        if (sequence < whole.first || sequence > whole.last) continue;
        const Entry part{sequence, whole.last, whole.reason, true};
        if (whole.announced) return part;
        entries_[i] = part;
        if (whole.first < sequence)
            entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(i), {whole.first, sequence - 1, whole.reason, false});
        join_neighbours();
        while (entries_.size() > kGapsMax) {
            // A split made one too many. Only ranges that touch are joined here: nothing else may become a gap by being looked at.
            const auto touching =
                std::adjacent_find(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.last + 1 == b.first; });
            if (touching == entries_.end()) break;
            touching->last = (touching + 1)->last;
            touching->announced = true;
            entries_.erase(touching + 1);
        }
        return part;
    }
    base::check(false, "spool: announcing what is not a gap");
    return {};
}

GapList::Removed GapList::remove_below(std::uint64_t end, std::uint64_t handed_out) {
    Removed removed;
    std::vector<Entry> kept;
    for (const Entry& entry : entries_) {
        if (entry.first >= end) {
            kept.push_back(entry);
            continue;
        }
        const std::uint64_t stop = std::min(entry.last + 1, end);
        const std::uint64_t count = stop - entry.first;
        if (entry.announced) {
            removed.announced += count;
        } else {
            const std::uint64_t handed = std::clamp(handed_out, entry.first, stop) - entry.first;
            removed.unannounced[static_cast<std::size_t>(entry.reason)] += handed;
            removed.rest += count - handed;
        }
        if (entry.last >= end) kept.push_back({end, entry.last, entry.reason, entry.announced});
    }
    entries_ = std::move(kept);
    return removed;
}

std::uint64_t GapList::total() const {
    std::uint64_t total = 0;
    for (const Entry& entry : entries_) total += entry.last - entry.first + 1;
    return total;
}

}  // namespace sluice::spool
