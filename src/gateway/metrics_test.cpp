#include "gateway/metrics.hpp"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

TEST(Metrics, metrics_page_is_up_to_date) {
    const std::string path = SLUICE_SOURCE_DIR "/docs/metrics.md";
    if (std::getenv("SLUICE_WRITE_DOCS") != nullptr) std::ofstream(path) << metrics_page();
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    EXPECT_EQ(text.str(), metrics_page()) << "run this test once with SLUICE_WRITE_DOCS=1";
}

TEST(Metrics, every_sample_line_has_a_head_and_a_value) {
    BackboneView view;
    view.spool.classes.resize(1);
    view.spool.classes[0].name = "alert";
    ShardGauges gauges;
    ShardGauges* shards[] = {&gauges};
    const BridgeList bridges{std::make_shared<BridgeGauges>("hq", "mqtt://broker.example")};
    const std::vector<TableGauges> tables{{.name = "machines"}};
    std::istringstream text(metrics_text(view, SessionGauges{}, shards, SignInGauges{}, bridges, tables, KeyView{{1, 2}, {}}, 1.5));
    std::string head;
    std::size_t samples = 0;
    for (std::string line; std::getline(text, line);) {
        if (line.starts_with("# TYPE ")) head = line.substr(7, line.find(' ', 7) - 7);
        if (line.starts_with("#")) continue;
        ++samples;
        EXPECT_TRUE(line.starts_with(head + "{") || line.starts_with(head + " ")) << line;
    }
    EXPECT_GT(samples, 60U);
}

}  // namespace
}  // namespace sluice::gateway
