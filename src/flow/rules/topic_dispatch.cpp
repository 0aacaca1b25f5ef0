#include "flow/rules/topic_dispatch.hpp"

#include <algorithm>
#include <cstring>

#include "base/hash.hpp"
#include "data/topic.hpp"

namespace sluice::rules {
namespace {

constexpr std::size_t kEntriesMin = 64;
constexpr std::size_t kTextChunk = std::size_t{64} * 1024;  // at least one topic: they have at most 65,535 bytes

}  // namespace

TopicDispatch::TopicDispatch(const PlanData& plan, std::uint64_t seed) : plan_(plan), seed_(seed), entries_(kEntriesMin) {}

const MatchSet* TopicDispatch::find(std::string_view topic) {
    const std::uint64_t hash = base::hash64(topic, seed_);
    for (std::size_t at = (hash >> 16) & (entries_.size() - 1);; at = (at + 1) & (entries_.size() - 1)) {
        Entry& entry = entries_[at];
        if (!entry.used) {
            found_ = nullptr;
            return add(topic, hash);
        }
        if (entry.hash != hash) continue;
        if (entry.row != nullptr)
            for (std::size_t i = 0; i < kRowPrefetchBytes; i += 64) __builtin_prefetch(entry.row + i);
        if (entry.size != topic.size() || std::memcmp(entry.topic, topic.data(), topic.size()) != 0) continue;
        found_ = &entry;
        return entry.set;
    }
}

const MatchSet* TopicDispatch::add(std::string_view topic, std::uint64_t hash) {
    if (size_ >= kTopicsMax || bytes_ + topic.size() > kTopicBytesMax || sets_.size() >= kSetsMax) forget();
    const MatchSet* set = match(topic);
    if (topic.size() > kTextChunk) return set;
    if ((size_ + 1) * 2 > entries_.size()) grow();
    if (topic.size() > text_left_) {
        texts_.push_back(std::make_unique<char[]>(kTextChunk));
        text_at_ = texts_.back().get();
        text_left_ = kTextChunk;
    }
    std::memcpy(text_at_, topic.data(), topic.size());
    std::size_t at = (hash >> 16) & (entries_.size() - 1);
    while (entries_[at].used) at = (at + 1) & (entries_.size() - 1);
    entries_[at] = {.hash = hash, .topic = text_at_, .size = static_cast<std::uint32_t>(topic.size()), .used = true, .set = set};
    text_at_ += topic.size();
    text_left_ -= topic.size();
    bytes_ += topic.size();
    ++size_;
    return set;
}

void TopicDispatch::grow() {
    std::vector<Entry> larger(entries_.size() * 2);
    for (const Entry& entry : entries_) {
        if (!entry.used) continue;
        std::size_t at = (entry.hash >> 16) & (larger.size() - 1);
        while (larger[at].used) at = (at + 1) & (larger.size() - 1);
        larger[at] = entry;
    }
    entries_.swap(larger);
}

void TopicDispatch::forget() {
    std::fill(entries_.begin(), entries_.end(), Entry{});
    texts_.clear();
    sets_.clear();
    text_left_ = size_ = bytes_ = 0;
}

const MatchSet* TopicDispatch::match(std::string_view topic) {
    std::vector<std::uint32_t> matching;
    for (std::uint32_t i = 0; i < plan_.filter_sets.size(); ++i) {
        const auto& filters = plan_.filter_sets[i];
        if (std::any_of(filters.begin(), filters.end(), [topic](const std::string& filter) { return data::filter_matches(filter, topic); }))
            matching.push_back(i);
    }
    if (matching.empty()) return nullptr;
    std::unique_ptr<MatchSet>& set = sets_[matching];
    if (set != nullptr) return set.get();
    set = std::make_unique<MatchSet>();
    const auto matches = [&matching](std::uint32_t filter_set) { return std::binary_search(matching.begin(), matching.end(), filter_set); };
    for (std::uint32_t i = 0; i < plan_.rules.size(); ++i) {
        const RulePlan& rule = plan_.rules[i];
        if (!matches(rule.filter_set)) continue;
        set->rules.push_back(i);
        if (!rule.partition) set->stateless.push_back(i);
        set->needs_json = set->needs_json || rule.needs_json();
        for (const std::uint32_t slot : rule.slots) set->fields.add_at(plan_.fields[slot], slot);
    }
    for (std::uint32_t i = 0; i < plan_.partitions.size(); ++i) {
        if (!plan_.partitions[i].rules.empty() && matches(plan_.partitions[i].filter_set)) set->partitions.push_back(i);
    }
    return set.get();
}

}  // namespace sluice::rules
