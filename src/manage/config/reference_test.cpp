#include "manage/config/reference.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "manage/config/keys.hpp"

namespace sluice::config {
namespace {

TEST(Reference, the_page_in_docs_is_the_one_the_tables_make) {
    const std::string path = SLUICE_SOURCE_DIR "/docs/configuration.md";
    if (std::getenv("SLUICE_UPDATE") != nullptr) std::ofstream(path) << reference_page();
    std::stringstream written;
    written << std::ifstream(path).rdbuf();
    EXPECT_EQ(written.str(), reference_page()) << "write it anew with SLUICE_UPDATE=1";
}

TEST(Reference, every_key_is_on_the_page) {
    const std::string page = reference_page();
    for (const auto keys : {gateway_keys(), cloud_keys()}) {
        for (const Key& key : keys) {
            EXPECT_NE(page.find("`" + std::string(key.path) + "`"), std::string::npos) << key.path;
            EXPECT_NE(page.find(key.text), std::string::npos) << key.path;
        }
    }
}

}  // namespace
}  // namespace sluice::config
