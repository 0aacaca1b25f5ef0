// The table itself: every default and bound can be read, every row explains itself.
#include "manage/config/keys.hpp"

#include <set>

#include <gtest/gtest.h>

#include "manage/config/listen.hpp"
#include "manage/config/scalar.hpp"
#include "manage/config/schema.hpp"

namespace sluice::config {
namespace {

void expect_sound(std::span<const Key> keys) {
    std::set<std::string_view> seen;
    for (const Key& key : keys) {
        SCOPED_TRACE(key.path);
        EXPECT_TRUE(seen.insert(key.path).second) << "two rows";
        EXPECT_TRUE(key.text.ends_with('.')) << "a row without a sentence";
        EXPECT_EQ(key.min.empty(), key.max.empty());
        EXPECT_FALSE(key.required && !key.fallback.empty()) << "a required key has no default";
        const bool ranged = key.kind == KeyKind::integer || key.kind == KeyKind::number || key.kind == KeyKind::duration ||
                            key.kind == KeyKind::size || key.kind == KeyKind::percent;
        EXPECT_EQ(ranged, !key.max.empty()) << "everything that can be counted has bounds";
        EXPECT_EQ(key.kind == KeyKind::choice, !key.choices.empty());
        for (const std::string_view text : {key.fallback, key.min, key.max}) {
            if (text.empty() || text == "[]") continue;
            Node node;
            node.kind = Node::Kind::scalar;
            node.text = text;
            EXPECT_EQ(scalar_problem(key, node), "");
        }
    }
    const SchemaNode schema = build_schema(keys);  // stops the process where a parent is missing
    for (const Key& key : keys) {
        if (key.shorthand.empty() || key.shorthand == "[]") continue;
        const SchemaNode* at = schema.child("listen")->child("mqtt")->element.get();
        EXPECT_NE(at->child(key.shorthand), nullptr);
    }
}

TEST(Keys, of_gateways_are_sound) { expect_sound(gateway_keys()); }
TEST(Keys, of_clouds_are_sound) { expect_sound(cloud_keys()); }

TEST(Listen, urls_have_scheme_host_and_port) {
    EXPECT_EQ(parse_url("TCP://h:1/x"), (Url{"tcp", "h", 1, true, "/x", {}}));
    EXPECT_EQ(parse_url("tcp://[::1]:1883"), (Url{"tcp", "::1", 1883, true, "", {}}));
    EXPECT_EQ(parse_url("unix:///run/s"), (Url{"unix", "", 0, false, "/run/s", {}}));
    EXPECT_EQ(parse_url("kafka://a:1,b,[::1]:2"), (Url{"kafka", "a", 1, true, "", {{"b", 0, false}, {"::1", 2, true}}}));
    for (const char* wrong : {"", "h:1", "://h", "tcp://", "tcp://:1", "tcp://h:", "tcp://h:-1", "tcp://h:65536", "tcp://h:1x",
                              "tcp://::1:1883", "tcp://[::1", "tcp://[h]:1", "tcp://u:p@h:1", "tcp://h h:1", "t p://h:1", "unix://"}) {
        EXPECT_FALSE(parse_url(wrong)) << wrong;
    }
}

TEST(Listen, loopback_is_this_machine_only) {
    for (const char* local : {"localhost", "::1", "127.0.0.1", "127.255.1.2"}) EXPECT_TRUE(is_loopback(local)) << local;
    for (const char* far :
         {"", "0.0.0.0", "::", "127.1", "127.0.0.1.evil.org", "128.0.0.1", "127.0.0.256", "1270.0.0.1", "localhost.evil"}) {
        EXPECT_FALSE(is_loopback(far)) << far;
    }
}

}  // namespace
}  // namespace sluice::config
