#include "flow/rules/file_table.hpp"

#include <gtest/gtest.h>

#include "flow/rules/key_table.hpp"

namespace sluice::rules {
namespace {

using json::Value;

struct Read {
    std::shared_ptr<const FileTable> table;
    TableProblem problem;
    [[nodiscard]] std::string text() const {
        return std::to_string(problem.line) + ":" + std::to_string(problem.column) + ": " + problem.message;
    }
};

Read read(std::string text, TableForm form, const std::vector<std::string>& key = {"id"}, const TableLimits& limits = {}) {
    Read out;
    out.table = FileTable::read(std::move(text), form, key, limits, out.problem);
    return out;
}

const Value* row(const FileTable& table, std::initializer_list<Value> key) {
    base::Bytes scratch;
    return table.find(encode_key(std::vector<Value>(key), scratch));
}

TEST(FileTable, its_form_is_seen_from_its_name) {
    EXPECT_EQ(table_form("a/machines.csv"), TableForm::csv);
    EXPECT_EQ(table_form("machines.json"), TableForm::json);
    EXPECT_EQ(table_form("machines.ndjson"), TableForm::ndjson);
    EXPECT_EQ(table_form("machines.txt"), std::nullopt);
}

TEST(FileTable, finds_every_row_by_its_key_and_no_other) {
    std::string text = "id;limit;name\n";
    for (int i = 0; i < 5000; ++i) text += std::to_string(i) + ";" + std::to_string(i) + ".5;\"n" + std::to_string(i) + "\"\n";
    const Read got = read(text, TableForm::csv);
    ASSERT_NE(got.table, nullptr) << got.text();
    EXPECT_EQ(got.table->rows(), 5000U);
    for (int i = 0; i < 5000; ++i) {
        const Value* found = row(*got.table, {Value::integer(i)});
        ASSERT_NE(found, nullptr) << i;
        EXPECT_EQ(found[1].as_number(), i + 0.5);
        EXPECT_EQ(found[2].as_view(), "n" + std::to_string(i));
    }
    EXPECT_EQ(row(*got.table, {Value::integer(5000)}), nullptr);
    EXPECT_EQ(row(*got.table, {Value::text("1")}), nullptr);
    EXPECT_NE(row(*got.table, {Value::number(17.0)}), nullptr);
}

TEST(FileTable, takes_the_first_column_as_key_where_none_is_named) {
    const Read got = read("device,limit\na,1\n", TableForm::csv, {});
    ASSERT_NE(got.table, nullptr);
    EXPECT_NE(row(*got.table, {Value::text("a")}), nullptr);
}

TEST(FileTable, says_where_a_file_is_wrong) {
    EXPECT_EQ(read("id,v\na,1\nb,2\na,3\n", TableForm::csv).text(), "4:1: duplicate key a: it stands in line 2 already");
    EXPECT_EQ(read("id,v\n1,1\n1.0,2\n", TableForm::csv).text(), "3:1: duplicate key 1: it stands in line 2 already");
    EXPECT_EQ(read("id,v\n,1\n", TableForm::csv).text(), "2:1: the key column id has no value here");
    EXPECT_EQ(read("ids,v\na,1\n", TableForm::csv).text(), "1:1: there is no key column id; did you mean ids?");
    EXPECT_EQ(read("name,v\na,1\n", TableForm::csv).text(), "1:1: there is no key column id: the columns are name, v");
    EXPECT_EQ(read("[{\"id\":1},\n {\"id\":1}]", TableForm::json).text(), "2:2: duplicate key 1: it stands in line 1 already");
    EXPECT_EQ(read("[{\"id\":1},\n {\"v\":1}]", TableForm::json).text(), "2:2: the key column id has no value here");
    EXPECT_EQ(read("[{\"id\":[1]}]", TableForm::json).text(),
              "1:2: the key column id is an array or object here: expected text, a number or a boolean");
    EXPECT_EQ(read("[{\"id\":1}\n {\"id\":2}]", TableForm::json).text(), "2:2: expected ',' or ']' behind an object");
    EXPECT_EQ(read("[{\"id\":1},\n {\"id\":2,\"a\":1e999}]", TableForm::json).text(),
              "2:2: the number 1e999 is beyond the range of a 64-bit float");
    EXPECT_EQ(read("[{\"id\":1},\n {\"id\":2,}]", TableForm::json).text(), "2:2: not a JSON object");
    EXPECT_EQ(read("[{\"id\":1},\n {\"id\":\"}\\\"", TableForm::json).text(), "2:2: this object has no end");
    EXPECT_EQ(read("[{\"id\":1}] x", TableForm::json).text(), "1:12: expected the end of the file behind the array");
    EXPECT_EQ(read("{\"id\":1}", TableForm::json).text(), "1:1: expected an array of objects: [{…}, {…}]");
    EXPECT_EQ(read("[1]", TableForm::json).text(), "1:2: expected an object: a row of the table");
    EXPECT_EQ(read("{\"id\":1}\n\n  [2]\n", TableForm::ndjson).text(), "3:3: not a JSON object");
}

TEST(FileTable, is_bounded) {
    EXPECT_EQ(read("id\n1\n2\n3\n", TableForm::csv, {"id"}, {.rows_max = 2}).text(), "4:1: more than limits.table_rows (2) rows");
    EXPECT_EQ(read("{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n", TableForm::ndjson, {"id"}, {.rows_max = 2}).text(),
              "3:1: more than limits.table_rows (2) rows");
    std::string text = "id,name\n";
    for (int i = 0; i < 1000; ++i) text += std::to_string(i) + "," + std::string(100, 'x') + "\n";
    const Read full = read(text, TableForm::csv, {"id"}, {.bytes_max = 100'000});
    EXPECT_EQ(full.table, nullptr);
    EXPECT_NE(full.problem.message.find("limits.table_bytes"), std::string::npos);
    const Read all = read(text, TableForm::csv);
    ASSERT_NE(all.table, nullptr);
    EXPECT_GT(all.table->bytes(), 100'000U);
}

}  // namespace
}  // namespace sluice::rules
