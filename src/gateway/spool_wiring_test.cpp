#include "gateway/spool_wiring.hpp"

#include <gtest/gtest.h>

#include "gateway/spool_source.hpp"
#include "gateway/uplink_wiring.hpp"
#include "manage/config/load.hpp"

namespace sluice::gateway {
namespace {

config::GatewayConfig read(const std::string& text) {
    auto loaded = config::read_gateway("gateway: {id: g}\n" + text, "g.yaml", nullptr, nullptr);
    EXPECT_EQ(loaded.text(), "");
    return loaded.config;
}

/// Names in the spool; in brackets those that no event goes to.
std::string streams(const std::string& text) {
    std::string out;
    for (const EventStream& each : event_streams(read(text)))
        out += (out.empty() ? "" : " ") + (each.used ? each.name : "(" + each.name + ")");
    return out;
}

/// Where the events of each class go: indices into the classes of the spool.
std::vector<std::vector<int>> routes(const std::string& text) {
    std::vector<std::vector<int>> out;
    for (const auto& each : make_streams(read(text))) {
        auto& row = out.emplace_back();
        for (const auto& stream : each) row.push_back(stream.spool_class.value());
    }
    return out;
}

TEST(EventStreams, without_more_uplinks_they_are_the_classes) {
    EXPECT_EQ(streams(""), "alert aggregate sample");
    EXPECT_EQ(streams("uplink: {url: 'mqtt://h', classes: {mine: {priority: 3, ttl: 1h}}}\n"), "alert aggregate sample mine");
    EXPECT_EQ(routes(""), (std::vector<std::vector<int>>{{0}, {1}, {2}}));
}

TEST(EventStreams, each_further_uplink_has_its_own_of_what_it_gets) {
    const std::string both =
        "uplink: {url: 'mqtt://h', classes: {sample: {to: b}, alert: {to: [main, b]}}}\nuplinks: {b: {url: 'mqtt://h'}, c: {url: "
        "'mqtt://h'}}\n";
    EXPECT_EQ(streams(both), "alert aggregate (sample) alert@b aggregate@b sample@b aggregate@c");
    EXPECT_EQ(routes(both), (std::vector<std::vector<int>>{{0, 3}, {1, 4, 6}, {5}}));
    const auto spooled = spool_options(read(both)).classes;
    ASSERT_EQ(spooled.size(), 7U);
    EXPECT_EQ(spooled[5].name, "sample@b");
    EXPECT_EQ(spooled[5].priority, spooled[2].priority);
    EXPECT_EQ(spooled[5].time_to_live, spooled[2].time_to_live);
}

TEST(EventStreams, nothing_gathers_for_a_first_uplink_that_is_not_there) {
    EXPECT_EQ(streams("uplinks: {b: {url: 'mqtt://h'}}\n"), "(alert) (aggregate) (sample) alert@b aggregate@b sample@b");
}

TEST(EventStreams, the_limit_of_one_cloud_is_not_that_of_another) {
    const auto streams = make_streams(read("uplink: {url: 'sluice://h'}\nuplinks: {a: {url: 'azure://h', password: 'aGFsbG8='}}\n"));
    EXPECT_EQ(streams[0][0].event_bytes_max, SIZE_MAX);
    EXPECT_LT(streams[0][1].event_bytes_max, std::size_t{256} * 1024);
}

TEST(EventStreams, a_spool_that_knows_too_many_names_is_told_by_name) {
    const auto config = read("uplinks: {hall: {url: 'mqtt://h'}}\n");
    spool::Stats remembered;
    const auto add = [&](const std::string& name, std::uint64_t acknowledged, std::uint64_t last) {
        auto& row = remembered.classes.emplace_back();
        row.name = name;
        row.acknowledged = data::Sequence(acknowledged);
        row.last = data::Sequence(last);
        row.waiting = last - acknowledged;
    };
    add("alert", 0, 0);
    add("alert@yard", 7, 7);
    add("sample@yard", 3, 5);
    const std::string said = too_many_classes(remembered, config, "/data/spool");
    EXPECT_NE(said.find("no room for aggregate, sample, alert@hall, aggregate@hall, sample@hall."), std::string::npos) << said;
    EXPECT_NE(said.find("nothing is left of: alert@yard; something is of: sample@yard (2 events wait)."), std::string::npos) << said;
    EXPECT_NE(said.find("move /data/spool away once the 2 events that wait are delivered"), std::string::npos) << said;
}

TEST(EventStreams, names_say_whose_they_are) {
    EXPECT_EQ(split_stream("alert"), (std::pair<std::string_view, std::string_view>("alert", "main")));
    EXPECT_EQ(split_stream("alert@b"), (std::pair<std::string_view, std::string_view>("alert", "b")));
}

TEST(EventStreams, each_uplink_has_an_epoch_of_its_own_for_ever) {
    const data::Epoch spool(0x1234567890abc);
    EXPECT_EQ(epoch_of(spool, "plant").value(), 8472850910936569U);
    EXPECT_NE(epoch_of(spool, "plant"), epoch_of(spool, "plans"));
    EXPECT_NE(epoch_of(spool, "plant"), epoch_of(data::Epoch(0x1234567890abd), "plant"));
    EXPECT_NE(epoch_of(spool, "plant"), spool);
}

}  // namespace
}  // namespace sluice::gateway
