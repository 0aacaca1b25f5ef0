#include <gtest/gtest.h>

#include "manage/config/load.hpp"

namespace sluice::config {
namespace {

Loaded<GatewayConfig> read(const std::string& text) { return read_gateway("gateway: {id: g}\n" + text, "g.yaml", nullptr, nullptr); }

TEST(UplinksConfig, more_clouds_have_the_keys_of_the_first_and_a_place_of_their_own) {
    const auto loaded = read(
        "uplink: {url: 'sluice://127.0.0.1', classes: {sample: {to: [plant]}, alert: {to: [main, lake]}}}\n"
        "uplinks:\n"
        "  plant: {url: 'mqtt://127.0.0.1', topic: 'p/{class}', in_flight: 4}\n"
        "  lake: {url: 'http://127.0.0.1/in', retry_max: 5s}\n");
    EXPECT_EQ(loaded.text(), "");
    const auto& uplinks = loaded.config.uplinks;
    ASSERT_EQ(uplinks.size(), 2U);
    EXPECT_EQ(uplinks[0].id, "plant");
    EXPECT_EQ(uplinks[0].uplink.topic, "p/{class}");
    EXPECT_EQ(uplinks[0].uplink.in_flight, 4U);
    EXPECT_EQ(uplinks[0].uplink.client_id, "g-plant");
    EXPECT_EQ(uplinks[1].uplink.kind, UplinkKind::http);
    EXPECT_EQ(uplinks[1].uplink.in_flight, Uplink().in_flight);
    const auto& classes = loaded.config.uplink.classes;
    EXPECT_TRUE(classes[0].goes_to("main") && classes[0].goes_to("lake") && !classes[0].goes_to("plant"));
    EXPECT_TRUE(classes[1].goes_to("main") && classes[1].goes_to("lake") && classes[1].goes_to("plant"));
    EXPECT_TRUE(!classes[2].goes_to("main") && !classes[2].goes_to("lake") && classes[2].goes_to("plant"));
}

TEST(UplinksConfig, what_is_wrong_with_one_is_said_under_its_name) {
    const auto loaded = read("uplinks: {a: {url: 'mqtt://h', topic: 'a/{x}'}, b: {url: 'aws://h'}}\n");
    ASSERT_EQ(loaded.problems.size(), 2U);
    EXPECT_EQ(loaded.problems[0].key, "uplinks.a.topic");
    EXPECT_EQ(loaded.problems[1].key, "uplinks.b.cert");
    EXPECT_EQ(read("uplinks: {a: {url: 'mqtt://h', classes: {}}}\n").text(), "g.yaml:2:32: error: unknown key `classes` in `uplinks.a`\n");
    EXPECT_EQ(read("uplinks: {a: {}}\n").text(), "g.yaml:2:11: error: missing key `url` in `uplinks.a`\n");
    EXPECT_EQ(read("uplinks: {main: {url: 'mqtt://h'}}\n").text(),
              "g.yaml:2:11: error: the name of an uplink: expected letters, digits, `_` and `-`, 1 to 64 of them, and not `main`, which is "
              "`uplink`\n");
}

TEST(UplinksConfig, no_cloud_of_ours_stands_there_twice) {
    EXPECT_EQ(read("uplink: {url: 'sluice://h'}\nuplinks: {a: {url: 'sluice://h:1884'}, b: {url: 'sluice://h:1885'}}\n").text(),
              "g.yaml:3:20: error: this cloud is an uplink already: a gateway has one connection to it\n");
}

TEST(UplinksConfig, a_class_goes_to_uplinks_that_there_are) {
    EXPECT_EQ(read("uplink: {classes: {alert: {to: plamt}}}\nuplinks: {plant: {url: 'mqtt://h'}}\n").text(),
              "g.yaml:2:32: error: there is no uplink `plamt`; did you mean `plant`?\n");
    EXPECT_EQ(read("uplink: {classes: {alert: {to: main}}}\nuplinks: {plant: {url: 'mqtt://h'}}\n").text().substr(0, 45),
              "g.yaml:2:32: error: there is no uplink `main`");
    EXPECT_EQ(read("uplink: {classes: {alert: {to: [main, main]}}}\n").text(), "g.yaml:2:39: error: `main` stands twice\n");
    EXPECT_EQ(read("uplink: {classes: {alert: {to: []}}}\n").text(),
              "g.yaml:2:32: error: to: expected at least one uplink; without the key the class goes to all of them\n");
}

TEST(UplinksConfig, classes_and_what_they_have_for_more_uplinks_are_bounded) {
    std::string many = "uplinks: {";
    for (int i = 0; i < 5; ++i) many += (i == 0 ? "u" : ", u") + std::to_string(i) + ": {url: 'mqtt://h'}";
    EXPECT_EQ(read(many + "}\n").text(),
              "g.yaml:2:113: error: 18 classes, and what they have for more uplinks: expected at most 16; `to` of a class says where it "
              "goes\n");
    EXPECT_EQ(read(many + "}\nuplink: {url: 'mqtt://h', classes: {sample: {to: main}}}\n").text(), "");
    const std::string name(60, 'n');
    EXPECT_EQ(read("uplinks: {" + name +
                   ": {url: 'mqtt://h'}}\nuplink: {url: 'mqtt://h', classes: {aggregate: {to: main}, sample: {to: main}}}\n")
                  .text(),
              "g.yaml:2:79: error: `alert@" + name + "`: the name of a class and that of an uplink have at most 63 bytes together\n");
}

}  // namespace
}  // namespace sluice::config
