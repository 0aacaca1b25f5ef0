#include "codec/json/walk.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::json {
namespace {

std::string walked(std::string_view raw) {
    std::string text;
    for (Walk walk(raw); walk.next();) text += (is_object(raw) ? std::string(walk.key()) + "=" : "") + std::string(walk.item()) + ";";
    return text;
}

TEST(Walk, visits_members_and_elements_in_their_order) {
    EXPECT_EQ(walked("[1, \"a,]\\\"\" ,[2,[3]],{\"x\":[]}\n]"), "1;\"a,]\\\"\";[2,[3]];{\"x\":[]};");
    EXPECT_EQ(walked(R"({"a":1, "b c" : {"d":"}"} ,"e\"f":null})"), R"(a=1;b c={"d":"}"};e\"f=null;)");
    EXPECT_EQ(walked("[]"), "");
    EXPECT_EQ(walked("{ }"), "");
    EXPECT_EQ(walked("[ [] ]"), "[];");
}

TEST(Walk, has_nothing_in_a_scalar) {
    EXPECT_EQ(walked("12"), "");
    EXPECT_EQ(walked("\"[1]\""), "");
    EXPECT_EQ(walked(""), "");
}

TEST(Walk, gives_values_their_kind) {
    EXPECT_EQ(value_of("12").as_integer(), 12);
    EXPECT_EQ(value_of("12").kind(), Kind::integer);
    EXPECT_EQ(value_of("1.5e1").as_number(), 15);
    EXPECT_EQ(value_of("9223372036854775808").kind(), Kind::number);
    EXPECT_TRUE(std::signbit(value_of("-0").as_number()));
    EXPECT_EQ(value_of("1e-999").as_number(), 0);
    EXPECT_TRUE(value_of("-1e999").is_beyond_range());
    EXPECT_TRUE(value_of("true").is_true());
    EXPECT_TRUE(value_of("null").is_null());
    EXPECT_EQ(value_of("\"a\"").as_view(), "a");
    EXPECT_EQ(value_of("[1]").kind(), Kind::raw);
}

}  // namespace
}  // namespace sluice::json
