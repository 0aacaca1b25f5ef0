#include "flow/router/router.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::router {
namespace {

class Texts final : public Columns {
public:
    explicit Texts(std::vector<std::string> texts) : texts_(std::move(texts)) {}
    void append_text(std::size_t index, base::Bytes& to) const override { base::append(to, texts_[index]); }

private:
    std::vector<std::string> texts_;
};

class Recorder final : public Sink {
public:
    void publish(std::string_view topic, base::ByteView payload) override {
        got.push_back("publish " + std::string(topic) + " " + std::string(base::as_text(payload)));
    }
    void spool(const data::Event& event) override {
        got.push_back("spool " + std::to_string(event.event_class.value()) + " " + std::string(event.rule) + " " +
                      std::to_string(base::to_ms(event.made)) + " " + std::string(base::as_text(event.json)));
    }
    std::vector<std::string> got;
};

const std::vector<std::string> kColumns{"device", "z", "Air temperature [K]"};

/// The topic that a template gives for a row.
std::string topic_of(std::string_view text, const std::vector<std::string>& values, std::string_view topic = "sensors/a/vibration") {
    TemplateResult compiled = compile_template(text, kColumns);
    EXPECT_TRUE(compiled.errors.empty()) << text << ": " << (compiled.errors.empty() ? "" : compiled.errors[0].message);
    Router router({{.rule = "r", .to = {ToTopic{std::move(compiled.value)}}}});
    Recorder sink;
    const Texts columns(values);
    router.route(0, {.json = base::as_bytes("{}"), .made = {}, .topic = topic, .columns = columns}, sink);
    return sink.got.size() == 1 ? sink.got[0].substr(8, sink.got[0].size() - 11) : "nothing";
}

std::vector<std::pair<std::size_t, std::string>> errors_of(std::string_view text) {
    std::vector<std::pair<std::size_t, std::string>> found;
    for (const TemplateError& error : compile_template(text, kColumns).errors) found.emplace_back(error.offset, error.message);
    return found;
}

TEST(TopicTemplate, columns_and_levels_fill_the_braces) {
    EXPECT_EQ(topic_of("alerts/{device}", {"a", "", ""}), "alerts/a");
    EXPECT_EQ(topic_of("{device}/{z}/{Air temperature [K]}", {"a", "3.5", "298"}), "a/3.5/298");
    EXPECT_EQ(topic_of("maintenance/{topic(2)}", {}), "maintenance/a");
    EXPECT_EQ(topic_of("copy/{topic()}", {}), "copy/sensors/a/vibration");
    EXPECT_EQ(topic_of("a{{b}}c", {}), "a{b}c");
}

TEST(TopicTemplate, a_value_can_neither_add_nor_remove_a_level) {
    EXPECT_EQ(topic_of("x/{device}/y", {"a/b+c#d", "", ""}), "x/a_b_c_d/y");
    EXPECT_EQ(topic_of("x/{device}/y", {"", "", ""}), "x/_/y");
    EXPECT_EQ(topic_of("x/{device}", {std::string("a\0b\n", 4), "", ""}), "x/a_b_");
    EXPECT_EQ(topic_of("x/{topic(7)}", {}), "x/_") << "a level that the topic does not have";
    EXPECT_EQ(topic_of("x/{topic(2)}", {}, ""), "x/_") << "a row that time caused has no topic";
    EXPECT_EQ(topic_of("{device}/x", {"$SYS", "", ""}), "_SYS/x");
}

TEST(TopicTemplate, long_values_are_cut_between_characters) {
    std::string value(TopicTemplate::kValueBytesMax - 1, 'a');
    EXPECT_EQ(topic_of("{device}", {value + "ä", "", ""}), value);
    EXPECT_EQ(topic_of("{device}", {value + "bc", "", ""}), value + "b");
}

TEST(TopicTemplate, mistakes_are_named_with_their_place) {
    using Found = std::vector<std::pair<std::size_t, std::string>>;
    EXPECT_EQ(errors_of("alerts/{devise}"), (Found{{7, "the SQL does not produce a column devise; did you mean {device}?"}}));
    EXPECT_EQ(errors_of("x/{unknown}"), (Found{{2, "the SQL does not produce a column unknown; it has device, z, Air temperature [K]"}}));
    EXPECT_EQ(errors_of("x/{device"), (Found{{2, "this brace has no end: expected {column}; a brace itself is written {{"}}));
    EXPECT_EQ(errors_of("x/}"), (Found{{2, "a closing brace without an opening one; a brace itself is written }}"}}));
    EXPECT_EQ(errors_of("x/{}"), (Found{{2, "an empty name in braces: expected {column} or {topic(n)}"}}));
    EXPECT_EQ(errors_of("x/{topic(0)}"), (Found{{2, "expected {topic(n)} with n from 1"}}));
    EXPECT_EQ(errors_of("x/+/#").size(), 2u);
    EXPECT_EQ(errors_of("").size(), 1u);
    EXPECT_EQ(errors_of("$SYS/x"), (Found{{0, "topics that begin with $ are reserved"}}));
}

TEST(TopicTemplate, the_columns_that_it_names_are_known_before_the_sql_is) {
    EXPECT_EQ(template_columns("a/{device}/{topic(2)}/{z}"), (std::vector<std::string>{"device", "z"}));
    EXPECT_EQ(template_columns("a/{device"), (std::vector<std::string>{}));
}

TEST(Router, every_destination_gets_the_row_once_in_order) {
    Router router({{.rule = "first", .to = {}},
                   {.rule = "second",
                    .to = {ToCloud{data::ClassIndex(0)}, ToTopic{compile_template("alerts/{device}", kColumns).value},
                           ToCloud{data::ClassIndex(2)}}}});
    Recorder sink;
    const Texts columns({"a", "4", ""});
    const Row row{.json = base::as_bytes(R"({"device":"a"})"), .made = base::from_ms(17), .topic = "t", .columns = columns};
    router.route(0, row, sink);
    EXPECT_TRUE(sink.got.empty());
    router.route(1, row, sink);
    EXPECT_EQ(sink.got, (std::vector<std::string>{R"(spool 0 second 17 {"device":"a"})", R"(publish alerts/a {"device":"a"})",
                                                  R"(spool 2 second 17 {"device":"a"})"}));
    EXPECT_EQ(router.counters().published, 1u);
    EXPECT_EQ(router.counters().spooled, 2u);
}

}  // namespace
}  // namespace sluice::router
