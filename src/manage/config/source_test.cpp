#include "manage/config/source.hpp"

#include <gtest/gtest.h>

#include "manage/config/document.hpp"

namespace sluice::config {
namespace {

/// Parses `text`, a mapping whose key `k` has the scalar, and maps each character of the value back.
LocatedText located(const std::string& text, const Source& source) {
    Problems problems;
    const auto document = parse_document(source, problems);
    EXPECT_TRUE(document.has_value()) << text;
    EXPECT_EQ(format_all("f", problems), "");
    const Entry* entry = document ? document->find("k") : nullptr;
    EXPECT_NE(entry, nullptr);
    if (entry == nullptr) return {};
    return source.locate(entry->value.offset, entry->value.text);
}

/// The character of the file at a position.
char character_at(const std::string& text, Position at) {
    std::size_t offset = 0;
    for (std::uint32_t line = 1; line < at.line; ++line) offset = text.find('\n', offset) + 1;
    return offset + at.column - 1 < text.size() ? text[offset + at.column - 1] : '\0';
}

void expect_letters_found_again(const std::string& text) {
    const Source source(text);
    const LocatedText value = located(text, source);
    ASSERT_FALSE(value.value.empty()) << text;
    for (std::size_t i = 0; i < value.value.size(); ++i) {
        const char c = value.value[i];
        if (c == ' ' || c == '\n') continue;
        EXPECT_EQ(character_at(text, value.position(i)), c) << "offset " << i << " of `" << value.value << "` in\n" << text;
    }
}

TEST(Source, positions_count_lines_and_code_points_from_1) {
    const Source source("ab\n\xC3\xA4\xE2\x82\xAC!\n");
    EXPECT_EQ(source.position(0), (Position{1, 1}));
    EXPECT_EQ(source.position(2), (Position{1, 3}));
    EXPECT_EQ(source.position(3), (Position{2, 1}));
    EXPECT_EQ(source.position(8), (Position{2, 3})) << "two characters of two and three bytes stand before";
    EXPECT_EQ(source.position(5), (Position{2, 2})) << "asked out of order";
    EXPECT_EQ(source.position(99), (Position{3, 1}));
}

TEST(Source, the_first_bad_byte_is_found) {
    EXPECT_FALSE(first_bad_byte("a: b\t# \xC3\xA4\xF0\x9F\x98\x80\r\n"));
    EXPECT_EQ(first_bad_byte(std::string_view("a\0b", 3)), 1U);
    EXPECT_EQ(first_bad_byte("ab\x7f"), 2U);
    EXPECT_EQ(first_bad_byte("x\xC0\xAF"), 1U) << "overlong";
    EXPECT_EQ(first_bad_byte("x\xED\xA0\x80"), 1U) << "surrogate";
    EXPECT_EQ(first_bad_byte("\xF4\x90\x80\x80"), 0U) << "past U+10FFFF";
    EXPECT_EQ(first_bad_byte("\xE2\x82"), 0U) << "cut";
}

TEST(Source, a_literal_block_maps_to_its_lines) {
    const std::string text = "k: |\n  SELECT a,\n    b\n\n  FROM 'x'\n";
    const Source source(text);
    const LocatedText value = located(text, source);
    EXPECT_EQ(value.value, "SELECT a,\n  b\n\nFROM 'x'\n");
    EXPECT_EQ(value.at, (Position{1, 4}));
    EXPECT_EQ(value.position(0), (Position{2, 3}));
    EXPECT_EQ(value.position(value.value.find(",")), (Position{2, 11}));
    EXPECT_EQ(value.position(value.value.find("b")), (Position{3, 5}));
    EXPECT_EQ(value.position(value.value.find("FROM")), (Position{5, 3}));
    EXPECT_EQ(value.position(999), (Position{6, 1}));
}

TEST(Source, every_style_of_scalar_maps_back_to_its_letters) {
    for (const std::string text : {
             "k: plain words here\n",
             "k: plain words\n   on two\n\n   and four lines\n",
             "k:\n  on the next line\n",
             "k: 'it''s quoted'\n",
             "k: 'folded ''over''\n   two lines\n\n   or four'\n",
             "k: \"abc def\"\n",
             "k: \"folded\n   over\n\n   lines\"\n",
             "k: \"cut \\\n   here\"\n",
             "k: |\n  one\n  two\n",
             "k: |-\n    one\n      two\n\n    three\n",
             "k: |+\n  one\n  two\n\n\n",
             "k: |2\n    indented\n  less\n",
             "k: |  # a comment\n  one\n",
             "k: |\n\n\n  after blank lines\n",
             "k: |\r\n  one\r\n  two\r\n",
             "k: >\n  folded\n  lines\n\n  paragraph\n",
             "k: >\n  folded\n\n\n  paragraph\n    more indented\n  back\n",
             "k: >-\n  last\n  line",
             "{k: flow, x: y}\n",
         }) {
        expect_letters_found_again(text);
    }
}

TEST(Source, escapes_and_wide_characters_do_not_shift_columns) {
    const std::string text = "k: \"\\u00e4\\t\\x41z \\\"q\"\n";
    const Source source(text);
    const LocatedText value = located(text, source);
    EXPECT_EQ(value.value, "\xC3\xA4\tAz \"q");
    EXPECT_EQ(value.position(value.value.find("z")), (Position{1, 17}));
    EXPECT_EQ(value.position(value.value.find("q")), (Position{1, 21}));

    const std::string wide = "k: \xC3\xA4\xC3\xB6 x\n";
    const Source wide_source(wide);
    EXPECT_EQ(located(wide, wide_source).position(5), (Position{1, 7}));
}

}  // namespace
}  // namespace sluice::config
