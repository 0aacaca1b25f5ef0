// The rules over real measurements, against known counts. The data is optional: SLUICE_SHARED, or ../shared beside the source.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "flow/rules/rehearsal.hpp"
#include "test_file.hpp"

namespace sluice::rules {
namespace {

class Counter final : public RowSink {
public:
    void row(std::size_t, std::string_view) override { ++rows; }
    std::size_t rows = 0;
};

std::filesystem::path shared() {
    const char* folder = std::getenv("SLUICE_SHARED");
    return folder != nullptr ? std::filesystem::path(folder) : std::filesystem::path(SLUICE_SOURCE_DIR) / ".." / "shared";
}

/// The number of output rows of the rule over a file of the shared data.
std::size_t rows_out(const std::string& file, const std::string& sql, bool restarts = false) {
    std::ifstream in(shared() / "data" / file, std::ios::binary);
    std::stringstream content;
    content << in.rdbuf();
    std::string problem;
    const auto rows = rows_of(content.str(), "t", problem);
    EXPECT_EQ(problem, "");
    const RuleSpec spec{.id = "rule", .sql = sql, .columns_wanted = {}};
    const Compiled compiled = compile({&spec, 1});
    EXPECT_NE(compiled.plan, nullptr) << sql;
    if (compiled.plan == nullptr) return 0;
    Counter sink;
    Rehearsal rehearsal(compiled.plan, {.restart_after_each_row = restarts}, sink);
    for (const InputRow& row : rows) rehearsal.reading(row.topic, row.payload);
    rehearsal.finish();
    return sink.rows;
}

class RealData : public testing::Test {
protected:
    void SetUp() override {
        if (!std::filesystem::exists(shared() / "data" / "README.md"))
            GTEST_SKIP() << "no data at " << shared() << ": set SLUICE_SHARED to the folder that has it";
    }
};

struct Expected {
    const char* file;
    const char* column;
    std::size_t rows;
};

TEST_F(RealData, z_scores_find_exactly_the_known_rows) {
    const Expected table[] = {
        {"nab/realKnownCause/machine_temperature_system_failure.csv", "value", 818},
        {"nab/realAWSCloudwatch/ec2_disk_write_bytes_1ef3de.csv", "value", 113},
        {"nab/artificialWithAnomaly/art_flatline.csv", "value", 0},
        {"skab/valve1/0.csv", "\"Volume Flow RateRMS\"", 12},
        {"skab/valve1/0.csv", "Accelerometer1RMS", 1},
    };
    for (const Expected& row : table) {
        const std::string z = std::string("zscore(") + row.column + ", 100)";
        EXPECT_EQ(rows_out(row.file, "SELECT " + z + " AS z FROM 't' WHERE abs(z) > 3"), row.rows) << row.file << " " << row.column;
    }
}

TEST_F(RealData, a_restart_after_every_reading_changes_no_z_score) {
    EXPECT_EQ(rows_out("skab/valve1/0.csv", "SELECT zscore(\"Volume Flow RateRMS\", 100) AS z FROM 't' WHERE abs(z) > 3", true), 12u);
    EXPECT_EQ(
        rows_out("nab/realAWSCloudwatch/ec2_disk_write_bytes_1ef3de.csv", "SELECT zscore(value, 100) AS z FROM 't' WHERE abs(z) > 3", true),
        113u);
}

TEST_F(RealData, three_failure_modes_of_ai4i_are_plain_rules) {
    const std::string from = " FROM 't' WHERE ";
    EXPECT_EQ(
        rows_out("ai4i/ai4i_a.csv",
                 "SELECT UDI" + from + R"("Process temperature [K]" - "Air temperature [K]" < 8.6 AND "Rotational speed [rpm]" < 1380)"),
        62u);
    EXPECT_EQ(rows_out("ai4i/ai4i_a.csv", R"(SELECT UDI, "Torque [Nm]" * "Rotational speed [rpm]" * 2 * 3.141592653589793 / 60 AS power)" +
                                              from + "power < 3500 OR power > 9000"),
              54u);
    EXPECT_EQ(rows_out("ai4i/ai4i_a.csv",
                       "SELECT UDI" + from +
                           R"("Tool wear [min]" * "Torque [Nm]" > CASE Type WHEN 'L' THEN 11000 WHEN 'M' THEN 12000 ELSE 13000 END)"),
              54u);
}

}  // namespace
}  // namespace sluice::rules
