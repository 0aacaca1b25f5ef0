// From a topic to the rules that read it, remembered for the topics seen lately.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "codec/json/field_set.hpp"
#include "flow/rules/plan_data.hpp"

namespace sluice::rules {

/// What a reading of certain topics needs: one scan for all rules.
struct MatchSet {
    bool needs_json = false;
    json::FieldSet fields;
    std::vector<std::uint32_t> stateless;  ///< rules
    std::vector<std::uint32_t> partitions;
    std::vector<std::uint32_t> rules;  ///< all of them
};

/// Owned by one engine.
class TopicDispatch {
public:
    /// When this many topics (or bytes of them) are remembered, all are forgotten.
    static constexpr std::size_t kTopicsMax = 65'536;
    static constexpr std::size_t kTopicBytesMax = std::size_t{8} << 20;
    static constexpr std::size_t kSetsMax = 1024;

    /// `seed`: a secret, because devices choose the topics.
    TopicDispatch(const PlanData& plan, std::uint64_t seed);

    /// nullptr: no rule reads it. Valid until the next call. Begins to fetch the row that touched() named for this topic.
    [[nodiscard]] const MatchSet* find(std::string_view topic);
    /// The topic found last led to this row of state; the next reading of the topic will probably lead there again. Only a hint.
    void touched(const std::byte* row) {
        if (found_ != nullptr) found_->row = row;
    }

private:
    struct Entry {
        std::uint64_t hash = 0;
        const char* topic = nullptr;
        std::uint32_t size = 0;
        bool used = false;
        const MatchSet* set = nullptr;
        const std::byte* row = nullptr;
    };
    /// Of a row, from its key on: with thousands of devices it has left the caches since their last reading, and comes back during the
    /// scan.
    static constexpr std::size_t kRowPrefetchBytes = 256;

    const MatchSet* add(std::string_view topic, std::uint64_t hash);
    const MatchSet* match(std::string_view topic);
    void forget();
    void grow();

    const PlanData& plan_;
    std::uint64_t seed_;
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
