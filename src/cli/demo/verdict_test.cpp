#include "cli/demo/verdict.hpp"

#include <algorithm>
#include <functional>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

namespace sluice::demo {
namespace {

constexpr std::string_view kStatus =
    R"({"id":"demo","uptime_s":9,"uplink":{"connected":true,"url":"x"},"spool":{"events":0,"bytes":1,"classes":{}},)"
    R"("ledger":{"readings_in":40000,"bytes_in":4000000,"events":{)"
    R"("alert":{"created":12,"delivered":12,"waiting":0,"dropped":{}},)"
    R"("aggregate":{"created":4000,"delivered":4000,"waiting":0,"dropped":{}},)"
    R"("sample":{"created":40,"delivered":40,"waiting":0,"dropped":{}}},"bytes_up":90000}})";

Facts good_facts() {
    Facts facts;
    facts.sensors = 100;
    facts.sent = facts.acknowledged = 40'000;
    facts.readings_per_second = 10'000;
    facts.local = facts.cloud = {.expected = 12,
                                 .exact = 12,
                                 .missing = 0,
                                 .repeated = 0,
                                 .unexpected = 0,
                                 .strange = 0,
                                 .spikes = 10,
                                 .spikes_exact = 10,
                                 .ties = 0};
    facts.contents = {.averages_expected = 4000, .samples_expected = 40, .averages_wrong = 0, .samples_wrong = 0};
    facts.stored = {{"alert", {12, 0, 0, 1}}, {"aggregate", {4000, 0, 0, 1}}, {"sample", {40, 0, 0, 1}}};
    facts.status = read_status(kStatus).value();
    facts.links_broken = 1;
    facts.cut_seconds = 10;
    return facts;
}

TEST(Verdict, the_status_of_the_gateway_is_read) {
    const auto status = read_status(kStatus);
    ASSERT_TRUE(status);
    EXPECT_EQ(status->readings_in, 40'000U);
    EXPECT_EQ(status->created(), 4052U);
    EXPECT_TRUE(status->uplink_connected);
    EXPECT_FALSE(read_status("{}"));
    EXPECT_FALSE(read_status("not json"));
}

TEST(Verdict, dropped_events_are_added_up_over_their_reasons) {
    const auto status = read_status(
        R"({"uplink":{"connected":false},"ledger":{"events":{"alert":{"created":9,"delivered":1,"waiting":2,"dropped":{"ttl":4,"spool_full":2}}}}})");
    ASSERT_TRUE(status);
    EXPECT_EQ(status->classes.at("alert").dropped, 6U);
    EXPECT_FALSE(status->uplink_connected);
}

TEST(Verdict, a_run_without_fault_is_good) {
    const auto checks = judge(good_facts());
    for (const auto& check : checks) EXPECT_TRUE(check.good) << check.name << ": " << check.detail;
    EXPECT_TRUE(all_good(checks));
}

TEST(Verdict, each_fault_alone_fails_the_run) {
    const std::vector<std::pair<const char*, std::function<void(Facts&)>>> faults = {
        {"an unacknowledged reading", [](Facts& f) { --f.acknowledged; }},
        {"a reading not counted", [](Facts& f) { --f.status.readings_in; }},
        {"nothing sent", [](Facts& f) { f.sent = f.acknowledged = f.status.readings_in = 0; }},
        {"a sensor lost its connection", [](Facts& f) { f.reconnects = 1; }},
        {"a spike without an alert", [](Facts& f) { f.local.spikes_exact = 9; }},
        {"a spike without an alert in the cloud", [](Facts& f) { f.cloud.spikes_exact = 9; }},
        {"no spikes at all", [](Facts& f) { f.local.spikes = f.local.spikes_exact = f.cloud.spikes = f.cloud.spikes_exact = 0; }},
        {"an alert twice", [](Facts& f) { f.local.repeated = 1; }},
        {"an alert twice in the cloud", [](Facts& f) { f.cloud.repeated = 1; }},
        {"an alert without a reason", [](Facts& f) { f.local.unexpected = 1; }},
        {"a missing alert", [](Facts& f) { f.cloud.missing = 1, f.cloud.exact = 11; }},
        {"an alert nobody understands", [](Facts& f) { f.local.strange = 1; }},
        {"the plant missed a spike", [](Facts& f) { f.missed_spikes = 1; }},
        {"the link was never cut", [](Facts& f) { f.links_broken = 0; }},
        {"the link did not come back", [](Facts& f) { f.status.uplink_connected = false; }},
        {"an event still waits",
         [](Facts& f) {
             f.status.classes.at("sample") = {40, 39, 1, 0};
         }},
        {"an event was dropped",
         [](Facts& f) {
             f.status.classes.at("sample") = {40, 39, 0, 1};
         }},
        {"an event is not in the cloud", [](Facts& f) { f.stored.at("sample").events = 39; }},
        {"an event is twice in the cloud", [](Facts& f) { f.stored.at("sample").repeated = 1; }},
        {"a hole in the cloud", [](Facts& f) { f.stored.at("alert").missing = 1; }},
        {"a class is missing in the cloud", [](Facts& f) { f.stored.erase("sample"); }},
        {"a class that the gateway does not know",
         [](Facts& f) {
             f.stored["odd"] = {1, 0, 0, 1};
         }},
        {"a wrong average", [](Facts& f) { f.contents.averages_wrong = 1; }},
        {"a rule lost readings", [](Facts& f) { f.contents.averages_expected = 4001; }},
        {"a sample too few", [](Facts& f) { f.contents.samples_expected = 41; }},
        {"an empty ledger", [](Facts& f) { f.status.classes.clear(), f.stored.clear(); }},
    };
    for (const auto& [name, fault] : faults) {
        Facts facts = good_facts();
        fault(facts);
        EXPECT_FALSE(all_good(judge(facts))) << name;
    }
}

TEST(Verdict, a_month_of_everything_costs_what_the_price_was_taken_from) {
    const Cost cost = cost_of(good_facts(), 50'000.0 / 25'920.0);
    EXPECT_NEAR(cost.sent_all_month, 50'000, 0.01) << "25.92 billion readings";
    EXPECT_NEAR(cost.sent_month / cost.sent_all_month, 4052.0 / 40'000.0, 1e-9);
}

TEST(Verdict, the_json_report_is_json) {
    Facts facts = good_facts();
    boost::system::error_code bad;
    const auto report = boost::json::parse(report_json(facts, judge(facts), 1.929), bad);
    ASSERT_FALSE(bad);
    EXPECT_TRUE(report.at("ok").as_bool());
    EXPECT_EQ(report.at("ledger").at("sample").at("in_cloud").to_number<int>(), 40);
    EXPECT_NE(report_text(facts, judge(facts), 1.929).find("Nothing was lost"), std::string::npos);
}

}  // namespace
}  // namespace sluice::demo
