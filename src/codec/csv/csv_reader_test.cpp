// The reader against known files, against itself in pieces, and over the real data.
#include "codec/csv/csv_reader.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace sluice::csv {
namespace {

/// All rows as JSON, a line each; then what went wrong, if anything.
std::string read_all(std::string_view text, std::size_t piece = 1U << 20) {
    Reader reader;
    std::string out;
    for (std::size_t at = 0;;) {
        switch (reader.next()) {
            case Step::header:
                break;
            case Step::row: {
                base::Bytes json;
                reader.append_json(json);
                out += std::string(base::as_text(json)) + "\n";
                break;
            }
            case Step::need_input:
                if (at == text.size()) {
                    reader.finish();
                } else {
                    reader.give(text.substr(at, piece));
                    at += std::min(piece, text.size() - at);
                }
                break;
            case Step::end:
                return out;
            case Step::failed:
                return out + std::to_string(reader.line()) + ": " + reader.problem();
        }
    }
}

TEST(CsvReader, rows_become_json_objects_with_the_digits_of_the_file) {
    EXPECT_EQ(read_all("a,b,c\n1,2.50,x\n-0.1,1e3,\n"), "{\"a\":1,\"b\":2.50,\"c\":\"x\"}\n{\"a\":-0.1,\"b\":1e3,\"c\":null}\n");
}

TEST(CsvReader, the_delimiter_is_found_from_the_header) {
    EXPECT_EQ(read_all("datetime;Volume Flow RateRMS\n2020-02-08 13:30:47;122,664\n"),
              "{\"datetime\":\"2020-02-08 13:30:47\",\"Volume Flow RateRMS\":\"122,664\"}\n");
    EXPECT_EQ(read_all("\"a;b;c\",d\n1,2\n"), "{\"a;b;c\":1,\"d\":2}\n");
    EXPECT_EQ(read_all("only\n7\n"), "{\"only\":7}\n");
}

TEST(CsvReader, quotes_follow_rfc_4180) {
    EXPECT_EQ(read_all("a,b\n\"x, y\",\"say \"\"hi\"\"\"\n\"two\nlines\",\"\"\n\"12\",\"\"\"\"\n"),
              "{\"a\":\"x, y\",\"b\":\"say \\\"hi\\\"\"}\n{\"a\":\"two\\nlines\",\"b\":null}\n{\"a\":12,\"b\":\"\\\"\"}\n");
    EXPECT_EQ(read_all("a\n5\" pipe\n"), "{\"a\":\"5\\\" pipe\"}\n");  // a quote inside an unquoted field is a character
    EXPECT_EQ(read_all("a,b\nx\"\",1\ny\"\",2\n"), "{\"a\":\"x\\\"\\\"\",\"b\":1}\n{\"a\":\"y\\\"\\\"\",\"b\":2}\n");
}

TEST(CsvReader, line_ends_may_be_crlf_or_lf_or_missing_at_the_end) {
    EXPECT_EQ(read_all("a,b\r\n1,2\r\n3,4"), "{\"a\":1,\"b\":2}\n{\"a\":3,\"b\":4}\n");
    EXPECT_EQ(read_all("a\n\n1\n\r\n2\n\n"), "{\"a\":1}\n{\"a\":2}\n");
    EXPECT_EQ(read_all("a\n1\r"), "{\"a\":1}\n");
}

TEST(CsvReader, a_byte_order_mark_and_nameless_columns_are_normal) {
    EXPECT_EQ(read_all("\xEF\xBB\xBF,x\n0,1\n"), "{\"column1\":0,\"x\":1}\n");
    EXPECT_EQ(read_all("\xEF\xBB\xBF,x\n0,1\n", 1), "{\"column1\":0,\"x\":1}\n");
}

TEST(CsvReader, numbers_are_numbers_only_as_a_whole) {
    for (const char* good :
         {"0", "-1", "+1", "1.5", ".5", "5.", "-.5", "1e9", "1E-9", "1.e+2", "007", "1e308", "1e-999", "123456789012345678901234567890"})
        EXPECT_TRUE(is_number(good)) << good;
    for (const char* bad : {"",    "-",   "+",   ".",         "-.",    "e5",    "1e",  "1e+",   "1 ",         " 1",  "1,5",  "0x10",
                            "NaN", "nan", "inf", "-Infinity", "1e999", "1e309", "1-2", "1.2.3", "2014-01-01", "--1", "1_000"})
        EXPECT_FALSE(is_number(bad)) << bad;
    EXPECT_FALSE(is_number(std::string(400, '9')));
    EXPECT_TRUE(is_number(std::string(300, '0') + "1"));
}

TEST(CsvReader, every_number_is_written_as_valid_json_of_the_same_value) {
    for (const auto& [in, expected] : {std::pair{"+1", "1"},
                                       {".5", "0.5"},
                                       {"-.5", "-0.5"},
                                       {"5.", "5"},
                                       {"1.e2", "1e2"},
                                       {"007", "7"},
                                       {"-00.70", "-0.70"},
                                       {"0", "0"},
                                       {"000", "0"},
                                       {"1.2500", "1.2500"},
                                       {"+.5e+3", "0.5e+3"}}) {
        base::Bytes out;
        append_json_number(out, in);
        EXPECT_EQ(base::as_text(out), expected);
        EXPECT_EQ(std::strtod(in, nullptr), std::strtod(expected, nullptr));
    }
}

TEST(CsvReader, text_is_escaped) {
    EXPECT_EQ(read_all("k\"ey\n\"tab\there \\ \x01 \xC3\xBC\"\n"), "{\"k\\\"ey\":\"tab\\there \\\\ \\u0001 \xC3\xBC\"}\n");
    EXPECT_EQ(read_all(std::string_view("a\nx\0y\n", 6)), "{\"a\":\"x\\u0000y\"}\n");
}

TEST(CsvReader, what_is_wrong_is_said_with_its_line) {
    EXPECT_EQ(read_all("a,b\n1,2\n\n3\n"), "{\"a\":1,\"b\":2}\n4: 1 fields where the header has 2");
    EXPECT_EQ(read_all("a,b\n\"1\n2\",3\n4,5,6\n"), "{\"a\":\"1\\n2\",\"b\":3}\n4: 3 fields where the header has 2");
    EXPECT_EQ(read_all("a\n\"x\n\n"), "2: a quote (\") is opened and never closed");
    EXPECT_EQ(read_all("a,b\n\"x\"y,1\n"), "2: field 1: text behind a closing quote; a quote inside quotes is written twice (\"\")");
    EXPECT_EQ(read_all("a,b,a\n"), "1: two columns are called \"a\"; each needs a name of its own");
    EXPECT_EQ(read_all(""), "1: the file has no header; the first line must name the columns");
    EXPECT_EQ(read_all("\n\n"), "1: the file has no header; the first line must name the columns");
    EXPECT_EQ(read_all("a\n\xB0"
                       "C\n"),
              "2: the text is not UTF-8; convert the file first, for example with: iconv -f latin1 -t utf8");
}

TEST(CsvReader, limits_are_reached_at_their_true_size) {
    EXPECT_EQ(read_all("a\n" + std::string(kRowBytesMax, 'x') + "\n").size(), kRowBytesMax + std::string("{\"a\":\"\"}\n").size());
    const std::string problem = "2: the row is longer than 1048576 bytes; is a quote never closed, or is this no CSV file?";
    EXPECT_EQ(read_all("a\n" + std::string(kRowBytesMax + 1, 'x') + "\n"), problem);
    EXPECT_EQ(read_all("a\n\"" + std::string(3 * kRowBytesMax, 'x'), 1000), problem);  // does not wait for the end of the file
    std::string header = "c0";
    for (std::size_t i = 1; i < kColumnsMax; ++i) header += ",c" + std::to_string(i);
    EXPECT_EQ(read_all(header + "\n"), "");
    EXPECT_EQ(read_all(header + ",one\n"), "1: more than 4096 columns");
}

TEST(CsvReader, pieces_of_any_size_come_to_the_same) {
    for (const std::string text :
         {"a,b\r\n\"x, \"\"y\"\"\",2\r\n\"multi\r\nline\",\n\n3,4", "a;b\n1;\"\n\"\n\"2\"x;1\n", "\xEF\xBB\xBFq\n1\n2"}) {
        const auto whole = read_all(text);
        for (std::size_t piece = 1; piece <= text.size(); ++piece)
            EXPECT_EQ(read_all(text, piece), whole) << text << " in pieces of " << piece;
    }
}

TEST(CsvReader, the_real_data_is_read_to_its_last_row) {
    const char* shared = std::getenv("SLUICE_SHARED");
    const std::filesystem::path folder = std::filesystem::path(shared ? shared : SLUICE_SOURCE_DIR "/../shared") / "data";
    if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no data at " << folder << "; set SLUICE_SHARED";
    int files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.path().extension() != ".csv") continue;
        std::ifstream in(entry.path(), std::ios::binary);
        std::stringstream text;
        text << in.rdbuf();
        const auto content = text.str();
        const auto lines = static_cast<std::size_t>(std::count(content.begin(), content.end(), '\n'));
        const auto json = read_all(content, 4096);
        const auto rows = static_cast<std::size_t>(std::count(json.begin(), json.end(), '\n'));
        EXPECT_TRUE(json.ends_with("}\n")) << entry.path() << ": " << json.substr(json.rfind('\n') + 1);
        EXPECT_EQ(rows, lines - (content.ends_with('\n') ? 1 : 0)) << entry.path();
        ++files;
    }
    EXPECT_GT(files, 20);
}

}  // namespace
}  // namespace sluice::csv
