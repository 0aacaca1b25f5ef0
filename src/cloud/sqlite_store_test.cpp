#include "cloud/sqlite_store.hpp"

#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "cloud/event_query.hpp"

namespace sluice::cloud {
namespace {

class SqliteStoreTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto pattern = (std::filesystem::temp_directory_path() / "sluice-sqlite-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        path_ = folder_ + "/events.db";
        auto opened = SqliteStore::open(path_);
        ASSERT_TRUE(opened);
        store_ = std::move(*opened);
    }
    void TearDown() override {
        store_.reset();
        std::filesystem::remove_all(folder_);
    }
    void add(const std::string& gateway, std::uint64_t epoch, const std::string& class_name, const std::string& rule,
             std::uint64_t sequence) {
        const auto stream = store_->stream({.gateway = gateway, .epoch = data::Epoch(epoch), .class_name = class_name});
        ASSERT_TRUE(stream);
        ASSERT_TRUE(
            store_->insert({.stream = stream->id, .sequence = data::Sequence(sequence), .rule = rule, .ts_ms = -5, .json = R"({"a":1})"}));
        ASSERT_TRUE(store_->advance(stream->id, data::Sequence(sequence + 1)));
    }
    std::string folder_;
    std::string path_;
    std::unique_ptr<SqliteStore> store_;
};

class Lines final : public EventVisitor {
public:
    bool event(const StoredEvent& row) override {
        ids.push_back(row.id);
        names.push_back(std::string(row.gateway) + "/" + std::to_string(row.epoch) + "/" + std::string(row.class_name) + "/" +
                        std::string(row.rule) + "/" + std::to_string(row.sequence));
        EXPECT_EQ(row.ts_ms, -5);
        EXPECT_EQ(row.json, R"({"a":1})");
        return true;
    }
    std::vector<std::int64_t> ids;
    std::vector<std::string> names;
};

TEST_F(SqliteStoreTest, pages_and_counts_agree_with_a_naive_filter) {
    std::mt19937_64 random(11);
    struct Naive {
        std::string gateway, class_name, rule, name;
    };
    std::vector<Naive> naive;
    std::map<std::string, std::uint64_t> sequences;
    ASSERT_TRUE(store_->begin());
    for (int i = 0; i < 500; ++i) {
        const auto gateway = "g" + std::to_string(random() % 4);
        const auto epoch = 1 + random() % 2;
        const std::string class_name = random() % 2 == 0 ? "alert" : "sample";
        const auto rule = "r" + std::to_string(random() % 3);
        const auto sequence = ++sequences[gateway + std::to_string(epoch) + class_name];
        add(gateway, epoch, class_name, rule, sequence);
        naive.push_back({gateway, class_name, rule,
                         gateway + "/" + std::to_string(epoch) + "/" + class_name + "/" + rule + "/" + std::to_string(sequence)});
        if (i % 50 == 0) {
            ASSERT_TRUE(store_->commit());
            ASSERT_TRUE(store_->begin());
        }
    }
    ASSERT_TRUE(store_->commit());
    auto query = EventQuery::open(path_);
    ASSERT_TRUE(query);
    const std::vector<EventFilter> filters = {{},
                                              {.gateway = "g1", .class_name = {}, .rule = {}},
                                              {.gateway = {}, .class_name = "alert", .rule = {}},
                                              {.gateway = {}, .class_name = {}, .rule = "r2"},
                                              {.gateway = "g3", .class_name = "sample", .rule = "r0"},
                                              {.gateway = "none", .class_name = {}, .rule = {}},
                                              {.gateway = "", .class_name = {}, .rule = {}}};
    for (const auto& filter : filters) {
        std::vector<std::string> expected;
        for (const auto& row : naive)
            if ((!filter.gateway || *filter.gateway == row.gateway) && (!filter.class_name || *filter.class_name == row.class_name) &&
                (!filter.rule || *filter.rule == row.rule))
                expected.push_back(row.name);
        const auto count = (*query)->count(filter);
        ASSERT_TRUE(count);
        EXPECT_EQ(*count, expected.size());
        std::vector<std::string> paged;
        std::int64_t after = 0;
        for (;;) {
            Lines page;
            ASSERT_TRUE((*query)->events(filter, after, 7, page));
            if (page.ids.empty()) break;
            EXPECT_TRUE(std::is_sorted(page.ids.begin(), page.ids.end()));
            EXPECT_GT(page.ids.front(), after);
            paged.insert(paged.end(), page.names.begin(), page.names.end());
            after = page.ids.back();
            const auto rest = (*query)->count(filter, after);
            ASSERT_TRUE(rest);
            EXPECT_EQ(*rest, expected.size() - paged.size());
        }
        EXPECT_EQ(paged, expected);
    }
}

TEST_F(SqliteStoreTest, a_reader_sees_what_is_committed_after_it_was_opened_and_nothing_else) {
    auto query = EventQuery::open(path_);
    ASSERT_TRUE(query);
    ASSERT_TRUE(store_->begin());
    add("g", 1, "alert", "r", 1);
    EXPECT_EQ(*(*query)->count({}), 0U);
    Lines none;
    ASSERT_TRUE((*query)->events({}, 0, 10, none));
    EXPECT_TRUE(none.ids.empty());
    ASSERT_TRUE(store_->commit());
    EXPECT_EQ(*(*query)->count({}), 1U);
    Lines one;
    ASSERT_TRUE((*query)->events({.gateway = "g", .class_name = {}, .rule = {}}, 0, 10, one));
    EXPECT_EQ(one.names, (std::vector<std::string>{"g/1/alert/r/1"}));
}

TEST_F(SqliteStoreTest, gateways_keep_their_last_ledger) {
    ASSERT_TRUE(store_->begin());
    ASSERT_TRUE(store_->save_gateway("g", base::from_ms(5), R"({"readings_in":1})"));
    ASSERT_TRUE(store_->save_gateway("g", base::from_ms(6), ""));
    ASSERT_TRUE(store_->save_gateway("h", base::from_ms(7), ""));
    ASSERT_TRUE(store_->commit());
    auto query = EventQuery::open(path_);
    const auto rows = (*query)->gateways();
    ASSERT_TRUE(rows);
    ASSERT_EQ(rows->size(), 2U);
    EXPECT_EQ((*rows)[0].last_seen_ms, 6);
    EXPECT_EQ((*rows)[0].ledger, R"({"readings_in":1})");
    EXPECT_EQ((*rows)[1].ledger, "");
}

TEST_F(SqliteStoreTest, a_database_of_a_newer_version_is_refused_untouched) {
    store_.reset();
    {
        auto database = sqlite::Database::open(path_, sqlite::Database::Mode::read_write_create);
        ASSERT_TRUE(database);
        ASSERT_TRUE(database->execute("PRAGMA user_version=99"));
    }
    EXPECT_EQ(SqliteStore::open(path_).error().code, base::Errc::version);
    EXPECT_EQ(EventQuery::open(path_).error().code, base::Errc::version);
}

TEST_F(SqliteStoreTest, a_file_that_is_no_database_is_corrupt) {
    const auto path = folder_ + "/junk.db";
    std::FILE* file = std::fopen(path.c_str(), "w");
    for (int i = 0; i < 1000; ++i) std::fputs("junk", file);
    std::fclose(file);
    EXPECT_EQ(SqliteStore::open(path).error().code, base::Errc::corrupt);
}

TEST_F(SqliteStoreTest, a_folder_that_is_missing_is_not_found) {
    EXPECT_EQ(SqliteStore::open(folder_ + "/none/events.db").error().code, base::Errc::not_found);
    EXPECT_EQ(EventQuery::open(folder_ + "/none.db").error().code, base::Errc::not_found);
}

}  // namespace
}  // namespace sluice::cloud
