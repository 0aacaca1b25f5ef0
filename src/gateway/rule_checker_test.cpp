// SQL and templates in a configuration are judged where they stand in the file.
#include "gateway/rule_checker.hpp"

#include <gtest/gtest.h>

#include "manage/config/load.hpp"
#include "manage/config/memory_files.hpp"

namespace sluice::gateway {
namespace {

config::Loaded<config::GatewayConfig> read(const std::string& rules) {
    config::MemoryFiles files;
    RuleChecker checker(files);
    return config::read_gateway("gateway: {id: x}\n" + rules, "g.yaml", nullptr, &checker);
}

/// `LINE:COL severity` of each problem, in the order of the file.
std::string places(const std::string& rules) {
    std::string out;
    for (const auto& problem : read(rules).problems) {
        const char* severity = problem.severity == config::Severity::error ? "error" : problem.not_built ? "not built" : "warning";
        out += std::to_string(problem.at.line) + ":" + std::to_string(problem.at.column) + " " + severity + "\n";
    }
    return out;
}

TEST(RuleChecker, the_rules_of_the_design_are_good) {
    const auto loaded = read(
        "rules:\n"
        "  - id: vibration-anomaly\n"
        "    sql: |\n"
        "      SELECT device, ts, seq, vibration, zscore(vibration, 100) OVER (PARTITION BY device) AS z\n"
        "      FROM 'sensors/+/vibration'\n"
        "      WHERE abs(z) > 3\n"
        "    to:\n"
        "      - topic: alerts/{device}\n"
        "      - cloud: alert\n"
        "  - id: vibration-average\n"
        "    sql: |\n"
        "      SELECT device, avg(vibration) AS average_vibration, count(*) AS samples\n"
        "      FROM 'sensors/+/vibration' GROUP BY device, COUNTWINDOW(10)\n"
        "    to: [{cloud: aggregate}]\n"
        "  - id: raw-sample\n"
        "    sql: SELECT * FROM 'sensors/+/vibration' WHERE every(1000) OVER (PARTITION BY device)\n"
        "    to: [{cloud: sample}]\n");
    EXPECT_EQ(loaded.text(), "");
    EXPECT_TRUE(loaded.is_runnable());
}

TEST(RuleChecker, an_error_in_a_literal_block_has_its_line_and_column) {
    EXPECT_EQ(
        places(
            "rules:\n  - id: a\n    sql: |\n      SELECT device,\n        zscor(v, 10) AS z\n      FROM 't'\n    to: [{cloud: alert}]\n"),
        "6:9 error\n");
}

TEST(RuleChecker, an_error_at_the_end_of_a_block_stands_behind_its_last_character) {
    EXPECT_EQ(places("rules:\n  - id: a\n    sql: |\n      SELECT v FROM 't'\n      WHERE abs(v\n\n    to: [{cloud: alert}]\n"),
              "6:18 error\n");
}

TEST(RuleChecker, an_error_in_a_plain_scalar_has_its_column) {
    EXPECT_EQ(places("rules:\n  - id: a\n    sql: SELECT nosuch(v) FROM 't'\n    to: [{cloud: alert}]\n"), "4:17 error\n");
}

TEST(RuleChecker, all_rules_are_judged) {
    EXPECT_EQ(places("rules:\n"
                     "  - {id: a, sql: \"SELEC v FROM 't'\", to: [{cloud: alert}]}\n"
                     "  - {id: b, sql: \"SELECT v FROM 't'\", to: [{cloud: alert}]}\n"
                     "  - {id: c, sql: \"SELECT nosuch(v) FROM 't'\", to: [{cloud: alert}]}\n"),
              "3:19 error\n5:26 error\n");
}

TEST(RuleChecker, a_column_that_the_sql_does_not_produce_is_an_error_in_the_template) {
    const auto loaded =
        read("rules:\n  - id: a\n    sql: SELECT device FROM 't'\n    to:\n      - topic: alerts/{devise}\n      - topic: x/{device}\n");
    ASSERT_EQ(loaded.problems.size(), 1U) << loaded.text();
    EXPECT_EQ(loaded.problems[0].key, "rules[0].to[0].topic");
    EXPECT_EQ(loaded.problems[0].at.line, 6U);
    EXPECT_GE(loaded.problems[0].at.column, 23U) << "at the brace or the name behind it";
    EXPECT_LE(loaded.problems[0].at.column, 24U);
    EXPECT_NE(loaded.problems[0].message.find("device"), std::string::npos) << "with a suggestion: " << loaded.problems[0].message;
}

TEST(RuleChecker, any_field_can_be_in_the_topic_of_a_select_star) {
    EXPECT_EQ(places("rules:\n  - id: a\n    sql: SELECT * FROM 't'\n    to: [{topic: 'x/{whatever}'}]\n"), "");
}

TEST(RuleChecker, wrong_templates_are_found_without_columns_too) {
    EXPECT_EQ(places("rules:\n  - id: a\n    sql: SELECT v FROM 't'\n    to: [{topic: 'x/{v'}]\n").substr(0, 2), "5:");
    EXPECT_EQ(places("rules:\n  - id: a\n    sql: SELECT v FROM 't'\n    to: [{topic: 'x/+/y'}]\n").substr(0, 2), "5:");
}

TEST(RuleChecker, what_the_dialect_has_and_this_version_has_not_is_noted) {
    const auto loaded = read("rules:\n  - id: a\n    sql: SELECT infer('m', v) AS y FROM 't'\n    to: [{cloud: alert}]\n");
    ASSERT_EQ(loaded.problems.size(), 1U) << loaded.text();
    EXPECT_TRUE(loaded.problems[0].not_built);
    EXPECT_TRUE(loaded.is_valid());
    EXPECT_FALSE(loaded.is_runnable());
}

TEST(RuleChecker, tables_and_classes_of_machines_are_known_to_the_rules) {
    config::MemoryFiles files;
    files.contents["/etc/machines.csv"] = "id,limit,class\na,3,mills\n";
    files.contents["/etc/twice.json"] = "[{\"id\":1},\n{\"id\":1}]";
    RuleChecker checker(files);
    const auto problems = [&](const std::string& text) {
        return config::read_gateway("gateway: {id: x}\n" + text, "/etc/g.yaml", &files, &checker).text();
    };
    const std::string tables = "tables:\n  - {name: machines, file: machines.csv, key: id}\n";
    const auto rule = [](const std::string& sql) { return "rules:\n  - {id: a, sql: \"" + sql + "\", to: [{cloud: alert}]}\n"; };
    EXPECT_EQ(problems(tables + "iso20816: {mills: [1, 2, 3]}\n" +
                       rule("SELECT m.limit, iso20816_zone(v, 'mills') AS z FROM 't' JOIN machines AS m ON m.id = d")),
              "");
    EXPECT_EQ(checker.catalog().machine_classes.size(), 1U);
    EXPECT_EQ(problems(tables + rule("SELECT m.limt FROM 't' JOIN machines AS m ON m.id = d")),
              "/etc/g.yaml:5:26: error: sql: the table machines has no column limt; did you mean limit?\n");
    EXPECT_EQ(problems(tables + rule("SELECT iso20816_zone(v, 'mils') AS z FROM 't'")),
              "/etc/g.yaml:5:43: error: sql: there is no class of machine 'mils': group1-rigid, group1-flexible, group2-rigid, "
              "group2-flexible, or three limits\n");
    EXPECT_EQ(problems("tables:\n  - {name: t, file: twice.json, key: id}\n"),
              "/etc/twice.json:2:1: error: duplicate key 1: it stands in line 1 already\n");
    EXPECT_EQ(problems("tables:\n  - {name: t, file: machines.csv, key: [id, lmit]}\n"),
              "/etc/machines.csv:1:1: error: there is no key column lmit; did you mean limit?\n");
    EXPECT_EQ(problems("limits: {table_rows: 1}\ntables:\n  - {name: t, file: machines.csv, key: id}\n"), "");
    EXPECT_EQ(problems("iso20816: {group1-rigid: [1, 2, 3]}\n"),
              "/etc/g.yaml:2:12: error: `group1-rigid` is a class of the standard: give yours another name\n");
}

TEST(RuleChecker, rules_whose_sql_could_not_be_read_are_left_out) {
    EXPECT_EQ(
        places(
            "rules:\n  - {id: a, sql: [x], to: [{cloud: alert}]}\n  - {id: b, sql: \"SELECT nosuch(v) FROM 't'\", to: [{cloud: alert}]}\n"),
        "3:18 error\n4:26 error\n");
}

}  // namespace
}  // namespace sluice::gateway
