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

TopicDispatch::TopicDispatch(const PlanData& plan, std::uint64_t seed)
    : plan_(plan),
      seed_(seed),
      sets_max_(std::max(kSetsMin, 4 * plan.rules.size())),
      rules_(plan.filter_sets.size()),
      partitions_(plan.filter_sets.size()),
      entries_(kEntriesMin) {
    for (std::uint32_t i = 0; i < plan.rules.size(); ++i) {
        if (!plan.rules[i].paused) rules_[plan.rules[i].filter_set].push_back(i);
    }
    for (std::uint32_t i = 0; i < plan.filter_sets.size(); ++i) {
        if (rules_[i].empty()) continue;
        const auto& filters = plan.filter_sets[i];
        const auto is_wild = [](const std::string& filter) { return filter.find_first_of("+#") != std::string::npos; };
        if (std::any_of(filters.begin(), filters.end(), is_wild))
            wild_.push_back(i);
        else
            for (const std::string& filter : filters) exact_[filter].push_back(i);
    }
    pass_over({});
}

void TopicDispatch::pass_over(const std::vector<bool>& partitions) {
    forget();
    for (auto& of_set : partitions_) of_set.clear();
    for (std::uint32_t i = 0; i < plan_.partitions.size(); ++i) {
        const bool idle = i < partitions.size() && partitions[i];
        if (!plan_.partitions[i].rules.empty() && !idle) partitions_[plan_.partitions[i].filter_set].push_back(i);
    }
}

MatchSet* TopicDispatch::find(std::string_view topic) {
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

MatchSet* TopicDispatch::add(std::string_view topic, std::uint64_t hash) {
    if (is_full()) forget();
    MatchSet* set = match(topic);
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

MatchSet* TopicDispatch::match(std::string_view topic) {
    std::vector<std::uint32_t> matching;
    if (const auto exact = exact_.find(topic); exact != exact_.end()) matching = exact->second;
    for (const std::uint32_t i : wild_) {
        const auto& filters = plan_.filter_sets[i];
        if (std::any_of(filters.begin(), filters.end(), [topic](const std::string& filter) { return data::filter_matches(filter, topic); }))
            matching.push_back(i);
    }
    std::sort(matching.begin(), matching.end());
    if (matching.empty()) return nullptr;
    std::unique_ptr<MatchSet>& set = sets_[matching];
    if (set != nullptr) return set.get();
    set = std::make_unique<MatchSet>();
    for (const std::uint32_t i : matching) {
        set->rules.insert(set->rules.end(), rules_[i].begin(), rules_[i].end());
        set->partitions.insert(set->partitions.end(), partitions_[i].begin(), partitions_[i].end());
    }
    std::sort(set->rules.begin(), set->rules.end());
    std::sort(set->partitions.begin(), set->partitions.end());
    std::vector<std::uint32_t> stateless;
    for (const std::uint32_t i : set->rules) {
        const RulePlan& rule = plan_.rules[i];
        if (!rule.partition) stateless.push_back(i);
        set->needs_json = set->needs_json || rule.needs_json();
        for (const std::uint32_t slot : rule.slots) set->fields.add_at(plan_.fields[slot], slot);
    }
    set->stateless = RuleGates(plan_, stateless);
    return set.get();
}

}  // namespace sluice::rules
