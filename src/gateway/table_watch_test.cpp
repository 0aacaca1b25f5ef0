#include "gateway/table_watch.hpp"

#include <gtest/gtest.h>

#include "flow/rules/key_table.hpp"
#include "manage/config/memory_files.hpp"

namespace sluice::gateway {
namespace {

class TableWatchTest : public testing::Test {
protected:
    TableWatchTest() {
        config_.tables.push_back({.name = {"machines", {}}, .file = {"machines.csv", {}}, .key = {{"id", {}}}, .at = {}});
        write("id,limit\na,3\n");
        use();
    }
    ~TableWatchTest() override { watch_.stop(); }

    void write(const std::string& text) { files_.contents["machines.csv"] = text; }
    void use() {
        config::Problems problems;
        const LoadedCatalog loaded = load_catalog(config_, files_, problems);
        ASSERT_TRUE(problems.empty());
        watch_.stop();  // the thread: here only the test looks
        watch_.use(config_, loaded);
        watch_.stop();
    }
    /// What the column behind the key of row `a` is.
    std::int64_t limit() {
        const json::Value* row = watch_.tables()[0].table->find("a");
        return row == nullptr ? -1 : row[1].as_integer();
    }

    config::GatewayConfig config_;
    config::MemoryFiles files_;
    TableWatch watch_{files_};
};

TEST_F(TableWatchTest, takes_what_has_changed_and_only_that) {
    const std::uint64_t edition = watch_.edition();
    EXPECT_EQ(limit(), 3);
    watch_.look();
    EXPECT_EQ(watch_.edition(), edition);
    write("id,limit\na,4\nb,5\n");
    watch_.look();
    EXPECT_NE(watch_.edition(), edition);
    EXPECT_EQ(limit(), 4);
    EXPECT_EQ(watch_.gauges()[0].rows, 2U);
    EXPECT_EQ(watch_.gauges()[0].loads, 2U);
    watch_.look();
    EXPECT_EQ(watch_.gauges()[0].loads, 2U);
}

TEST_F(TableWatchTest, keeps_the_old_content_when_the_new_is_bad_and_counts_it_once) {
    const std::uint64_t edition = watch_.edition();
    for (const char* bad : {"id,limit\na,4\na,5\n", "id,limit\na\n", "id,lim\na,4\n"}) {
        const std::uint64_t failures = watch_.gauges()[0].failures;
        write(bad);
        watch_.look();
        watch_.look();
        watch_.look();
        EXPECT_EQ(watch_.gauges()[0].failures, failures + 1) << bad;
        EXPECT_EQ(limit(), 3);
    }
    EXPECT_EQ(watch_.edition(), edition);
    write("id,limit\na,6\n");
    watch_.look();
    EXPECT_EQ(limit(), 6);
}

TEST_F(TableWatchTest, survives_a_file_that_goes_and_comes_back) {
    files_.contents.clear();
    watch_.look();
    watch_.look();
    EXPECT_EQ(watch_.gauges()[0].failures, 1U);
    EXPECT_EQ(limit(), 3);
    write("id,limit\na,7\n");
    watch_.look();
    EXPECT_EQ(limit(), 7);
}

TEST_F(TableWatchTest, holds_to_its_limits) {
    config_.limits.table_rows = 1;
    use();
    write("id,limit\na,4\nb,5\n");
    watch_.look();
    EXPECT_EQ(limit(), 3);
    EXPECT_EQ(watch_.gauges()[0].failures, 1U);
}

}  // namespace
}  // namespace sluice::gateway
