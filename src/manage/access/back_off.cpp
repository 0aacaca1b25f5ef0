#include "manage/access/back_off.hpp"

#include <algorithm>
#include <cstring>

#include "base/hash.hpp"

namespace sluice::access {
namespace {
constexpr std::size_t kLooksPerEviction = 16;  // the quietest of so many goes: near enough to the quietest of all
}

std::uint64_t BackOff::key_of(char kind, SourceAddress address, std::string_view user) const {
    char head[1 + sizeof address];
    head[0] = kind;
    std::memcpy(head + 1, &address, sizeof address);
    return base::hash64(user, base::hash64({head, sizeof head}, seed_));
}

const BackOff::Entry* BackOff::find(std::uint64_t key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : &entries_[found->second];
}

std::chrono::nanoseconds BackOff::pause(SourceAddress address, std::string_view user, base::Monotonic now) const {
    base::Monotonic until = now;
    for (const std::uint64_t key : {key_of('p', address, user), key_of('a', address, {})}) {
        if (const Entry* entry = find(key)) until = std::max(until, entry->until);
    }
    return until - now;
}

void BackOff::failed(SourceAddress address, std::string_view user, base::Monotonic now) {
    const bool under_attack = count_leaking(key_of('u', 0, user), now).failures >= limits_.tries_of_user;
    Entry& pair = touch(key_of('p', address, user), now);
    ++pair.failures;
    block(pair, under_attack ? limits_.tries_under_attack : limits_.tries, now);
    block(count_leaking(key_of('a', address, {}), now), limits_.tries_of_address, now);
}

void BackOff::succeeded(SourceAddress address, std::string_view user) {
    const auto found = by_key_.find(key_of('p', address, user));
    if (found == by_key_.end()) return;
    Entry& entry = entries_[found->second];
    entry.failures = 0;
    entry.until = {};
}

/// The entry, forgotten if it has been quiet for long; made if there is none.
BackOff::Entry& BackOff::touch(std::uint64_t key, base::Monotonic now) {
    const auto found = by_key_.find(key);
    Entry& entry = found != by_key_.end() ? entries_[found->second] : place_for(key);
    if (entry.failures != 0 && now - entry.last >= limits_.forget) entry.failures = 0;
    entry.last = now;
    return entry;
}

BackOff::Entry& BackOff::place_for(std::uint64_t key) {
    std::uint32_t place;
    if (entries_.size() < limits_.entries_max) {
        place = static_cast<std::uint32_t>(entries_.size());
        entries_.emplace_back();
    } else {
        place = static_cast<std::uint32_t>(hand_);
        for (std::size_t i = 0; i < std::min(kLooksPerEviction, entries_.size()); ++i) {
            hand_ = (hand_ + 1) % entries_.size();
            const auto busy_until = [](const Entry& one) { return std::max(one.until, one.last); };
            if (busy_until(entries_[hand_]) < busy_until(entries_[place])) place = static_cast<std::uint32_t>(hand_);
        }
        by_key_.erase(entries_[place].key);
        entries_[place] = {};
    }
    entries_[place].key = key;
    by_key_.emplace(key, place);
    return entries_[place];
}

/// One more failure, and those that leaked away since the last one taken off.
BackOff::Entry& BackOff::count_leaking(std::uint64_t key, base::Monotonic now) {
    const Entry* known = find(key);
    const auto leaked = known == nullptr ? 0 : (now - known->last) / limits_.leak;
    const base::Monotonic before = known == nullptr ? now : known->last;
    Entry& entry = touch(key, now);
    entry.failures -= static_cast<std::uint32_t>(std::min<std::int64_t>(leaked, entry.failures));
    // The part of a leak that has begun counts on: else failures a little closer together than one leak would never leak.
    if (entry.failures != 0) entry.last = before + leaked * limits_.leak;
    ++entry.failures;
    return entry;
}

void BackOff::block(Entry& entry, unsigned tries, base::Monotonic now) const {
    if (entry.failures < tries) return;
    std::chrono::seconds pause = limits_.first;
    for (unsigned i = tries; i < entry.failures && pause < limits_.longest; ++i) pause *= 2;
    entry.until = std::max(entry.until, now + std::min(pause, limits_.longest));
}

}  // namespace sluice::access
