#include "flow/hub/level_tree.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "data/topic.hpp"

namespace sluice::hub {
namespace {

struct Mark {
    bool set = false;
    [[nodiscard]] bool empty() const { return !set; }
};
using Tree = LevelTree<Mark>;

std::set<std::string> matching_topic(const Tree& tree, std::string_view topic) {
    std::set<std::string> found;
    tree.match_topic(topic, [&](const Mark&, NodeIndex node) { EXPECT_TRUE(found.insert(tree.path(node)).second) << "twice"; });
    return found;
}
std::set<std::string> matching_filter(const Tree& tree, std::string_view filter) {
    std::set<std::string> found;
    tree.match_filter(filter, ~std::size_t{0},
                      [&](const Mark&, NodeIndex node) { EXPECT_TRUE(found.insert(tree.path(node)).second) << "twice"; });
    return found;
}
Tree tree_of(std::initializer_list<const char*> paths) {
    Tree tree(1);
    for (const char* path : paths) {
        const NodeIndex node = tree.ensure(path);
        tree.value(node).set = true;
    }
    return tree;
}
using Set = std::set<std::string>;

TEST(LevelTree, a_topic_finds_literal_plus_and_hash_filters) {
    const Tree tree = tree_of({"a/b", "a/+", "+/b", "#", "a/#", "a/b/#", "a/b/c", "+/+/+"});
    EXPECT_EQ(matching_topic(tree, "a/b"), (Set{"a/b", "a/+", "+/b", "#", "a/#", "a/b/#"}));
}

TEST(LevelTree, hash_includes_the_level_above_it) {
    const Tree tree = tree_of({"sport/tennis/#"});
    EXPECT_EQ(matching_topic(tree, "sport/tennis"), (Set{"sport/tennis/#"}));
    EXPECT_EQ(matching_topic(tree, "sport/tennis/a/b/c"), (Set{"sport/tennis/#"}));
    EXPECT_EQ(matching_topic(tree, "sport"), Set{});
}

TEST(LevelTree, empty_levels_are_levels) {
    const Tree tree = tree_of({"/finance", "+/+", "/+", "+", "a//b", "a/+/b"});
    EXPECT_EQ(matching_topic(tree, "/finance"), (Set{"/finance", "+/+", "/+"}));
    EXPECT_EQ(matching_topic(tree, "a//b"), (Set{"a//b", "a/+/b"}));
}

TEST(LevelTree, wildcards_at_the_first_level_do_not_see_dollar_topics) {
    const Tree tree = tree_of({"#", "+/x", "$SYS/#", "$SYS/+"});
    EXPECT_EQ(matching_topic(tree, "$SYS/x"), (Set{"$SYS/#", "$SYS/+"}));
    const Tree topics = tree_of({"$SYS/x", "a/x"});
    EXPECT_EQ(matching_filter(topics, "#"), (Set{"a/x"}));
    EXPECT_EQ(matching_filter(topics, "+/x"), (Set{"a/x"}));
    EXPECT_EQ(matching_filter(topics, "$SYS/#"), (Set{"$SYS/x"}));
}

TEST(LevelTree, a_topic_deeper_than_any_filter_may_be_still_finds_hash) {
    const Tree tree = tree_of({"#", "a/#", "+/+/#"});
    std::string deep = "a";
    for (std::size_t i = 0; i < 1000; ++i) deep += "/a";
    EXPECT_EQ(matching_topic(tree, deep), (Set{"#", "a/#", "+/+/#"}));
}

TEST(LevelTree, the_deepest_filter_of_plusses_beside_literals_fits_the_stack) {
    Tree tree(1);
    std::string plusses = "+";
    std::string literals = "a";
    for (std::size_t i = 1; i < kLevelsMax; ++i) {
        for (const std::string& prefix : {plusses, literals}) {
            tree.value(tree.ensure(prefix + "/+")).set = true;
            tree.value(tree.ensure(prefix + "/a")).set = true;
        }
        plusses += "/+";
        literals += "/a";
    }
    EXPECT_TRUE(matching_topic(tree, literals).contains(plusses));
}

TEST(LevelTree, what_nothing_needs_is_pruned_with_its_ancestors) {
    Tree tree(1);
    const NodeIndex deep = tree.ensure("a/b/c/d");
    const NodeIndex shallow = tree.ensure("a/b");
    tree.value(deep).set = tree.value(shallow).set = true;
    EXPECT_EQ(tree.size(), 4U);
    tree.value(shallow).set = false;
    tree.prune(shallow);
    EXPECT_EQ(tree.size(), 4U) << "still the way to a/b/c/d";
    tree.value(deep).set = false;
    tree.prune(deep);
    EXPECT_EQ(tree.size(), 0U);
    EXPECT_EQ(tree.find("a"), Tree::kRoot);
}

/// Both directions against data::filter_matches, over random paths from a small alphabet, with insertions and removals.
TEST(LevelTree, agrees_with_the_plain_matcher_on_random_paths) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        std::mt19937 random(seed);
        const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        const auto path = [&](bool wild) {
            static constexpr const char* kLevels[] = {"a", "b", "", "$s", "longer-level-name-than-sso"};
            std::string text;
            const unsigned levels = 1 + pick(4);
            for (unsigned i = 0; i < levels; ++i) {
                if (i != 0) text += '/';
                const unsigned kind = wild ? pick(8) : 7;
                if (kind == 0 && i + 1 == levels)
                    text += '#';
                else if (kind <= 2)
                    text += '+';
                else
                    text += kLevels[pick(5)];
            }
            return text.empty() ? std::string("a") : text;
        };
        Tree filters(seed);
        Tree topics(seed);
        Set filter_set;
        Set topic_set;
        const auto flip = [&](Tree& tree, Set& set, const std::string& text) {
            const bool add = set.insert(text).second;
            if (!add) set.erase(text);
            const NodeIndex node = tree.ensure(text);
            tree.value(node).set = add;
            if (!add) tree.prune(node);
        };
        for (unsigned step = 0; step < 400; ++step) {
            flip(filters, filter_set, path(true));
            flip(topics, topic_set, path(false));
            const std::string topic = path(false);
            const std::string filter = path(true);
            Set by_topic;
            Set by_filter;
            for (const auto& one : filter_set)
                if (data::filter_matches(one, topic)) by_topic.insert(one);
            for (const auto& one : topic_set)
                if (data::filter_matches(filter, one)) by_filter.insert(one);
            ASSERT_EQ(matching_topic(filters, topic), by_topic) << "seed " << seed << " topic " << topic;
            ASSERT_EQ(matching_filter(topics, filter), by_filter) << "seed " << seed << " filter " << filter;
        }
        for (const auto& one : Set(filter_set)) flip(filters, filter_set, one);
        EXPECT_EQ(filters.size(), 0U);
    }
}

TEST(IndexTable, finds_what_is_there_and_nothing_else_through_growth_and_erasure) {
    for (unsigned seed = 1; seed <= 5; ++seed) {
        std::mt19937 random(seed);
        IndexTable table;
        std::map<std::uint32_t, std::uint64_t> model;  // index -> hash; few distinct hashes: long probe chains
        for (unsigned step = 0; step < 5000; ++step) {
            const auto index = static_cast<std::uint32_t>(random() % 300);
            const auto at = model.find(index);
            if (at == model.end()) {
                model[index] = random() % 40;
                table.insert(model[index], index);
            } else {
                table.erase(at->second, index);
                model.erase(at);
            }
            ASSERT_EQ(table.size(), model.size());
            const auto probe = static_cast<std::uint32_t>(random() % 300);
            const auto expected = model.find(probe);
            const std::uint64_t hash = expected == model.end() ? random() % 40 : expected->second;
            const auto found = table.find(hash, [&](std::uint32_t i) { return i == probe; });
            ASSERT_EQ(found, expected == model.end() ? IndexTable::kNone : probe) << "seed " << seed << " step " << step;
        }
    }
}

}  // namespace
}  // namespace sluice::hub
