#include "embed/assets.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace sluice::web {
namespace {

TEST(Assets, the_page_itself_is_there_and_says_what_it_is) {
    const Asset* page = find_asset("/");
    ASSERT_NE(page, nullptr);
    EXPECT_EQ(page->content_type, "text/html; charset=utf-8");
    EXPECT_EQ(page->cache, "no-cache");
    EXPECT_NE(page->body.find("<!doctype html>"), std::string_view::npos);
}

TEST(Assets, an_unknown_path_is_not_found) {
    EXPECT_EQ(find_asset("/nothing-here"), nullptr);
    EXPECT_EQ(find_asset(""), nullptr);
    EXPECT_EQ(find_asset("/../etc/passwd"), nullptr);
}

TEST(Assets, every_path_is_found_again_and_has_a_type_and_a_body) {
    EXPECT_TRUE(std::is_sorted(assets().begin(), assets().end(), [](const Asset& a, const Asset& b) { return a.path < b.path; }));
    for (const Asset& asset : assets()) {
        EXPECT_EQ(find_asset(asset.path), &asset) << asset.path;
        EXPECT_FALSE(asset.content_type.empty()) << asset.path;
        EXPECT_FALSE(asset.body.empty()) << asset.path;
    }
}

TEST(Assets, what_the_page_refers_to_is_embedded_too) {
    const std::string_view page = find_asset("/")->body;
    for (std::size_t at = page.find("/assets/"); at != std::string_view::npos; at = page.find("/assets/", at + 1)) {
        const std::string_view name = page.substr(at, page.find('"', at) - at);
        const Asset* asset = find_asset(name);
        ASSERT_NE(asset, nullptr) << name;
        EXPECT_NE(asset->cache.find("immutable"), std::string_view::npos) << name;
    }
}

}  // namespace
}  // namespace sluice::web
