#include "manage/config/document.hpp"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

std::string problems_of(std::string_view text) {
    const Source source(text);
    Problems problems;
    static_cast<void>(parse_document(source, problems));
    return format_all("f", problems);
}

TEST(Document, keys_values_and_their_places) {
    const Source source("a: 1\nb:\n  - x\n  - {c: 'y', d: }\n");
    Problems problems;
    const auto document = parse_document(source, problems);
    ASSERT_TRUE(document && problems.empty());
    ASSERT_EQ(document->entries.size(), 2U);
    const Entry& b = document->entries[1];
    EXPECT_EQ(b.key_at, (Position{2, 1}));
    ASSERT_EQ(b.value.items.size(), 2U);
    EXPECT_EQ(b.value.items[0].text, "x");
    EXPECT_TRUE(b.value.items[0].plain);
    EXPECT_EQ(b.value.items[1].at, (Position{4, 5}));
    EXPECT_EQ(b.value.items[1].entries[0].value.at, (Position{4, 9}));
    EXPECT_FALSE(b.value.items[1].entries[0].value.plain);
    EXPECT_EQ(b.value.items[1].entries[1].value.kind, Node::Kind::null);
}

TEST(Document, an_empty_file_is_nothing) {
    const Source source("# only a comment\n");
    Problems problems;
    const auto document = parse_document(source, problems);
    ASSERT_TRUE(document && problems.empty());
    EXPECT_EQ(document->kind, Node::Kind::null);
}

TEST(Document, a_duplicate_key_is_an_error_at_the_second_and_the_first_stays) {
    const Source source("a: 1\nb: 2\na: 3\n");
    Problems problems;
    const auto document = parse_document(source, problems);
    EXPECT_EQ(format_all("f", problems), "f:3:1: error: duplicate key `a`: it stands in line 1 already\n");
    ASSERT_TRUE(document);
    EXPECT_EQ(document->find("a")->value.text, "1");
    EXPECT_EQ(document->entries.size(), 2U);
}

TEST(Document, duplicate_keys_are_found_in_flow_mappings_and_deep_down) {
    EXPECT_EQ(problems_of("a:\n  - {b: 1, c: 2, b: 3}\n"), "f:2:18: error: duplicate key `b`: it stands in line 2 already\n");
}

TEST(Document, all_duplicates_are_reported) {
    EXPECT_EQ(
        problems_of("a: 1\na: 2\na: 3\n"),
        "f:2:1: error: duplicate key `a`: it stands in line 1 already\nf:3:1: error: duplicate key `a`: it stands in line 1 already\n");
}

TEST(Document, aliases_cannot_blow_a_file_up) {
    const std::string laughs = problems_of("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n");
    EXPECT_NE(laughs.find("f:1:4: error: anchors (&a) are not supported"), std::string::npos) << laughs;
    EXPECT_NE(laughs.find("f:2:8: error: aliases (*name) are not supported"), std::string::npos) << laughs;
}

TEST(Document, tags_and_second_documents_are_refused) {
    EXPECT_EQ(problems_of("a: !!int 5\n"), "f:1:4: error: tags (tag:yaml.org,2002:int) are not supported: write the plain value\n");
    EXPECT_EQ(problems_of("a: 5\n---\nb: 6\n"), "f:2:1: error: a configuration is one document: the second `---` begins another\n");
    EXPECT_EQ(problems_of("---\na: 5\n...\n"), "");
}

TEST(Document, keys_that_are_not_text_are_refused_with_their_values) {
    EXPECT_EQ(problems_of("? [a, b]\n: c\nd: e\n"), "f:1:3: error: a key must be text\n");
}

TEST(Document, syntax_errors_have_a_place_and_words) {
    EXPECT_EQ(problems_of("a:\n\t- b\n"), "f:2:2: error: a tab cannot indent YAML: use spaces\n");
    EXPECT_EQ(problems_of("a: \"open\n"), "f:1:4: error: not valid YAML: a quote is never closed\n");
    EXPECT_EQ(problems_of("a: 'it''s\n"), "f:1:4: error: not valid YAML: a quote is never closed\n");
    EXPECT_EQ(problems_of("a: [1, 2\n"), "f:2:1: error: not valid YAML: a `[` is never closed, or a `,` is missing\n");
    EXPECT_EQ(problems_of("a: b: c\n"), "f:1:5: error: not valid YAML: a `:` where none can stand (text that holds `: ` needs quotes)\n");
}

TEST(Document, other_syntax_errors_keep_the_words_of_the_library) {
    EXPECT_EQ(problems_of("a: &x &y 1\n"), "f:1:7: error: not valid YAML: cannot assign multiple anchors to the same node\n");
}

TEST(Document, bytes_that_are_not_text_are_refused_before_parsing) {
    EXPECT_EQ(problems_of("a: \xff\n"), "f:1:4: error: not valid UTF-8\n");
    EXPECT_EQ(problems_of(std::string_view("a: \0", 4)), "f:1:4: error: a control character (0x00) cannot stand in a configuration\n");
}

TEST(Document, nesting_has_a_limit) {
    const std::string deep = "a: " + std::string(40, '[') + std::string(40, ']') + "\n";
    EXPECT_EQ(problems_of(deep), "f:1:35: error: nested deeper than 32 levels\n");
    const std::string hostile(100'000, '[');
    EXPECT_NE(problems_of(hostile).find("error: "), std::string::npos);
    std::string block;
    for (std::size_t i = 0; i < 400; ++i) block += std::string(i, ' ') + "a:\n";
    EXPECT_EQ(problems_of(block), "f:33:33: error: nested deeper than 32 levels\n");
}

TEST(Document, the_number_of_values_has_a_limit) {
    std::string many = "[";
    for (std::size_t i = 0; i <= kNodesMax; ++i) many += "1,";
    EXPECT_NE(problems_of(many + "]").find("more than 200000 values"), std::string::npos);
}

}  // namespace
}  // namespace sluice::config
