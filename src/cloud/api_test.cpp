#include "cloud/api.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include "cloud/metrics.hpp"
#include "cloud/sqlite_store.hpp"

namespace sluice::cloud {
namespace {

namespace json = boost::json;

class ApiTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto pattern = (std::filesystem::temp_directory_path() / "sluice-api-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        store_ = std::move(*SqliteStore::open(folder_ + "/events.db"));
        query_ = std::move(*EventQuery::open(folder_ + "/events.db"));
        answers_ = std::make_unique<ApiAnswers>(*query_, gateways_);
    }
    void TearDown() override {
        answers_.reset();
        query_.reset();
        store_.reset();
        std::filesystem::remove_all(folder_);
    }
    void add(const std::string& gateway, const std::string& class_name, const std::string& rule, std::uint64_t count,
             const std::string& data) {
        ASSERT_TRUE(store_->begin());
        const auto stream = store_->stream({.gateway = gateway, .epoch = data::Epoch(7), .class_name = class_name});
        auto next = std::max<std::uint64_t>(1, stream->next.value());
        for (; count != 0; --count, ++next)
            ASSERT_TRUE(store_->insert(
                {.stream = stream->id, .sequence = data::Sequence(next), .rule = rule, .ts_ms = 1'700'000'000'123, .json = data}));
        ASSERT_TRUE(store_->advance(stream->id, data::Sequence(next)));
        ASSERT_TRUE(store_->commit());
    }
    json::value get(const std::string& path, std::map<std::string, std::string> query = {}, int status = 200) {
        posix::HttpRequest request;
        request.method = "GET";
        request.path = path;
        request.query = std::move(query);
        const auto response = answers_->answer(request);
        EXPECT_EQ(response.status, status) << response.body;
        EXPECT_EQ(response.content_type, "application/json");
        return json::parse(response.body);
    }

    std::string folder_;
    std::unique_ptr<SqliteStore> store_;
    std::unique_ptr<EventQuery> query_;
    Gateways gateways_;
    std::unique_ptr<ApiAnswers> answers_;
};

TEST_F(ApiTest, an_event_is_told_with_everything_that_names_it) {
    add("plant-7", "alert", "ho\"t", 1, "{\"z\":\n4}");
    EXPECT_EQ(
        get("/api/v1/events"),
        json::parse(
            R"({"events":[{"id":1,"gateway":"plant-7","epoch":7,"class":"alert","rule":"ho\"t","seq":1,"ts":1700000000123,"data":{"z":4}}],"next":1})"));
}

TEST_F(ApiTest, an_empty_list_has_no_next) {
    EXPECT_EQ(get("/api/v1/events"), json::parse(R"({"events":[],"next":null})"));
    EXPECT_EQ(get("/api/v1/events/count"), json::parse(R"({"count":0})"));
    EXPECT_EQ(get("/api/v1/gateways"), json::parse("[]"));
}

TEST_F(ApiTest, pages_follow_each_other_by_next) {
    add("a", "alert", "r", 250, "{}");
    std::int64_t after = 0;
    std::size_t seen = 0;
    for (const std::size_t expected : {100U, 100U, 50U}) {
        const auto page = get("/api/v1/events", {{"after", std::to_string(after)}});
        EXPECT_EQ(page.at("events").as_array().size(), expected);
        seen += page.at("events").as_array().size();
        after = page.at("next").as_int64();
        EXPECT_EQ(after, page.at("events").as_array().back().at("id").as_int64());
    }
    EXPECT_EQ(seen, 250U);
    EXPECT_TRUE(get("/api/v1/events", {{"after", std::to_string(after)}}).at("next").is_null());
}

TEST_F(ApiTest, filters_choose_and_empty_ones_do_not) {
    add("a", "alert", "hot", 3, "{}");
    add("a", "sample", "raw", 5, "{}");
    add("b", "sample", "raw", 7, "{}");
    const auto count = [this](std::map<std::string, std::string> query) {
        const auto total = get("/api/v1/events/count", query).at("count").as_int64();
        query["limit"] = "10000";
        EXPECT_EQ(get("/api/v1/events", query).at("events").as_array().size(), static_cast<std::size_t>(total));
        return total;
    };
    EXPECT_EQ(count({}), 15);
    EXPECT_EQ(count({{"gateway", "a"}}), 8);
    EXPECT_EQ(count({{"class", "sample"}}), 12);
    EXPECT_EQ(count({{"rule", "raw"}, {"gateway", "b"}}), 7);
    EXPECT_EQ(count({{"rule", "none"}}), 0);
    EXPECT_EQ(count({{"gateway", ""}, {"class", "alert"}, {"rule", ""}}), 3);
    EXPECT_EQ(count({{"after", "4"}}), 11);
    EXPECT_EQ(count({{"after", "9"}, {"rule", "raw"}}), 6);
}

TEST_F(ApiTest, large_pages_end_early_and_go_on) {
    add("a", "alert", "r", 40, "{\"x\":\"" + std::string(1'000'000, 'x') + "\"}");
    const auto page = get("/api/v1/events", {{"limit", "10000"}});
    const auto got = page.at("events").as_array().size();
    EXPECT_GE(got, 16U);
    EXPECT_LT(got, 20U);
    EXPECT_EQ(page.at("next").as_int64(), static_cast<std::int64_t>(got));
}

TEST_F(ApiTest, wrong_parameters_are_explained) {
    struct Row {
        const char* name;
        const char* value;
    };
    for (const auto& row : {Row{"limit", "0"}, Row{"limit", "10001"}, Row{"limit", "ten"}, Row{"limit", "1x"}, Row{"after", "-1"},
                            Row{"after", "99999999999999999999"}, Row{"gatway", "a"}}) {
        const auto problem = get("/api/v1/events", {{row.name, row.value}}, 400);
        EXPECT_EQ(problem.at("error").at("status").as_int64(), 400);
        EXPECT_NE(problem.at("error").at("message").as_string().find(row.name), json::string::npos);
    }
    get("/api/v1/events/count", {{"limit", "0"}}, 400);
    get("/api/v1/events/count", {{"gatway", "a"}}, 400);
    get("/api/v1/nothing", {}, 404);
}

TEST_F(ApiTest, gateways_are_told_with_their_ledger) {
    gateways_.restore({.id = "old", .online = false, .last_seen = base::from_ms(5), .ledger = ""});
    gateways_.set_online("plant-7", true, base::from_ms(10));
    gateways_.seen("plant-7", base::from_ms(20), R"({"readings_in":3})");
    gateways_.seen("plant-7", base::from_ms(30), "");
    EXPECT_EQ(get("/api/v1/gateways"), json::parse(R"([{"id":"old","online":false,"last_seen":5,"ledger":null},
                                                       {"id":"plant-7","online":true,"last_seen":30,"ledger":{"readings_in":3}}])"));
}

TEST(CloudMetrics, the_page_lists_every_metric) {
    std::ifstream file(std::string(SLUICE_SOURCE_DIR) + "/docs/cloud.md");
    std::stringstream page;
    page << file.rdbuf();
    EXPECT_NE(page.str().find(metrics_rows()), std::string::npos) << "docs/cloud.md must contain:\n" << metrics_rows();
}

TEST(CloudMetrics, every_metric_has_help_type_and_one_value) {
    const FrontGauges front;
    const auto text = metrics_text(front, {}, 3, 1.5);
    EXPECT_NE(text.find("# TYPE sluice_cloud_gateways_online gauge\nsluice_cloud_gateways_online 3\n"), std::string::npos);
    std::size_t helps = 0;
    std::size_t values = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        helps += line.starts_with("# HELP") ? 1U : 0U;
        values += line.starts_with("sluice_cloud_") ? 1U : 0U;
    }
    EXPECT_EQ(helps, values);
    EXPECT_GT(values, 40U);
}

}  // namespace
}  // namespace sluice::cloud
