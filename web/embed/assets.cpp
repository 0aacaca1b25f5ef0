#include "embed/assets.hpp"

#include <algorithm>

namespace sluice::web {

const Asset* find_asset(std::string_view path) {
    const std::span<const Asset> all = assets();
    const auto at =
        std::lower_bound(all.begin(), all.end(), path, [](const Asset& asset, std::string_view wanted) { return asset.path < wanted; });
    return at != all.end() && at->path == path ? &*at : nullptr;
}

}  // namespace sluice::web
