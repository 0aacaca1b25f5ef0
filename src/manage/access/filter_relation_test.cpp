#include "manage/access/filter_relation.hpp"

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "data/topic.hpp"

namespace sluice::access {
namespace {

/// All texts of at most `depth` levels over an alphabet of levels.
template <std::size_t N>
std::vector<std::string> all(const std::array<std::string_view, N>& alphabet, unsigned depth) {
    std::vector<std::string> out;
    std::vector<std::string> last{""};
    for (unsigned level = 0; level < depth; ++level) {
        std::vector<std::string> next;
        for (const auto& before : last)
            for (const auto& one : alphabet) next.push_back(level == 0 ? std::string(one) : before + "/" + std::string(one));
        out.insert(out.end(), next.begin(), next.end());
        last = std::move(next);
    }
    return out;
}

TEST(FilterRelation, examples_from_the_documentation) {
    EXPECT_TRUE(covers("sensors/#", "sensors/+/x"));
    EXPECT_FALSE(covers("sensors/+", "sensors/#"));
    EXPECT_TRUE(covers("sensors/#", "sensors"));
    EXPECT_FALSE(covers("#", "$SYS/x"));
    EXPECT_FALSE(covers("+/x", "$SYS/x"));
    EXPECT_TRUE(covers("$SYS/#", "$SYS/+"));
    EXPECT_TRUE(covers("+/#", "#"));
    EXPECT_FALSE(covers("+/+/#", "#"));
    EXPECT_TRUE(overlap("sensors/+/x", "sensors/a/#"));
    EXPECT_TRUE(overlap("#", "secret/#"));
    EXPECT_FALSE(overlap("#", "$SYS/x"));
    EXPECT_FALSE(overlap("a/+", "a"));
    EXPECT_TRUE(overlap("a/#", "a"));
}

/// Against the definition: every pair of filters up to three levels, judged by all topics up to four levels. Levels of the topics that no
/// filter names stand for any other level, so that nothing is left out. (The empty topic counts here: to forbid what does not exist is
/// safe.)
TEST(FilterRelation, both_agree_with_their_definition_for_all_small_filters) {
    constexpr std::array<std::string_view, 5> kFilterLevels{"a", "", "$a", "+", "#"};
    constexpr std::array<std::string_view, 5> kTopicLevels{"a", "", "$a", "z", "$z"};
    std::vector<std::string> filters;
    for (auto& one : all(kFilterLevels, 3))
        if (data::is_topic_filter(one)) filters.push_back(one);
    const auto topics = all(kTopicLevels, 4);
    std::vector<std::vector<bool>> matches;
    for (const auto& filter : filters) {
        std::vector<bool> row;
        for (const auto& topic : topics) row.push_back(data::filter_matches(filter, topic));
        matches.push_back(std::move(row));
    }
    std::size_t covering = 0;
    std::size_t overlapping = 0;
    for (std::size_t a = 0; a < filters.size(); ++a) {
        for (std::size_t b = 0; b < filters.size(); ++b) {
            bool all_of_b = true;
            bool some = false;
            for (std::size_t t = 0; t < topics.size(); ++t) {
                all_of_b = all_of_b && (!matches[b][t] || matches[a][t]);
                some = some || (matches[a][t] && matches[b][t]);
            }
            ASSERT_EQ(covers(filters[a], filters[b]), all_of_b) << filters[a] << " covers " << filters[b];
            ASSERT_EQ(overlap(filters[a], filters[b]), some) << filters[a] << " overlaps " << filters[b];
            covering += all_of_b ? 1 : 0;
            overlapping += some ? 1 : 0;
        }
    }
    EXPECT_GT(filters.size(), 80U);
    EXPECT_GT(covering, filters.size());
    EXPECT_GT(overlapping, covering);
}

}  // namespace
}  // namespace sluice::access
