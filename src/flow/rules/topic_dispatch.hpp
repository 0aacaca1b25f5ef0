// From a topic to the rules that read it, remembered for the topics seen lately.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "codec/json/field_set.hpp"
#include "flow/rules/plan_data.hpp"
#include "flow/rules/rule_gates.hpp"

namespace sluice::rules {

/// What a reading of certain topics needs: one scan for all rules.
struct MatchSet {
    bool needs_json = false;
    json::FieldSet fields;
    RuleGates stateless;
    std::vector<std::uint32_t> partitions;
    std::vector<std::uint32_t> rules;  ///< all of them
};

/// Owned by one engine.
class TopicDispatch {
public:
    /// When this many topics (or bytes of them) are remembered, all are forgotten.
    static constexpr std::size_t kTopicsMax = 65'536;
    static constexpr std::size_t kTopicBytesMax = std::size_t{8} << 20;
    /// Where there are many rules, several times as many sets.
    static constexpr std::size_t kSetsMin = 1024;

    /// `seed`: a secret, because devices choose the topics.
    TopicDispatch(const PlanData& plan, std::uint64_t seed);

    /// nullptr: no rule reads it. Valid until the next call. Begins to fetch the row that touched() named for this topic.
    [[nodiscard]] MatchSet* find(std::string_view topic);
    /// The topic found last led to this row of state; the next reading of the topic will probably lead there again. Only a hint.
    void touched(const std::byte* row) {
        if (found_ != nullptr) found_->row = row;
    }

    /// These partitions have nothing to do here.
    void pass_over(const std::vector<bool>& partitions);

    /// Hands over what the sets have counted.
    template <class Counters>
    void flush(Counters& counters) {
        for (auto& [filters, set] : sets_) set->stateless.flush(counters);
    }
    /// The next find() would forget the sets, with what they have counted.
    [[nodiscard]] bool is_full() const { return size_ >= kTopicsMax || bytes_ >= kTopicBytesMax || sets_.size() >= sets_max_; }

private:
    struct Entry {
        std::uint64_t hash = 0;
        const char* topic = nullptr;
        std::uint32_t size = 0;
        bool used = false;
        MatchSet* set = nullptr;
        const std::byte* row = nullptr;
    };
    /// Of a row, from its key on: with thousands of devices it has left the caches since their last reading, and comes back during the
    /// scan.
    static constexpr std::size_t kRowPrefetchBytes = 256;

    MatchSet* add(std::string_view topic, std::uint64_t hash);
    MatchSet* match(std::string_view topic);
    void forget();
    void grow();

    const PlanData& plan_;
    std::uint64_t seed_;
    std::size_t sets_max_;
    std::unordered_map<std::string_view, std::vector<std::uint32_t>> exact_;  ///< filter sets by their filters without wildcards
    std::vector<std::uint32_t> wild_;                                         ///< filter sets with wildcards
    std::vector<std::vector<std::uint32_t>> rules_;                           ///< by filter set
    std::vector<std::vector<std::uint32_t>> partitions_;                      ///< by filter set
    std::vector<Entry> entries_;
    Entry* found_ = nullptr;  ///< by the last find(); nullptr where it was added
    std::size_t size_ = 0;
    std::size_t bytes_ = 0;
    std::vector<std::unique_ptr<char[]>> texts_;
    std::size_t text_left_ = 0;
    char* text_at_ = nullptr;
    std::map<std::vector<std::uint32_t>, std::unique_ptr<MatchSet>> sets_;  ///< by matching filter sets
};

}  // namespace sluice::rules
