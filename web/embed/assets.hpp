// The built page, inside the binary: a gateway needs no files beside it.
#pragma once

#include <span>
#include <string_view>

namespace sluice::web {

struct Asset {
    std::string_view path;          ///< as requested: "/", "/assets/index-3f2a.js"
    std::string_view content_type;  ///< with charset where it is text
    std::string_view cache;         ///< value of Cache-Control: names under /assets/ carry a hash of their content and never change
    std::string_view body;
};

/// All files of the page, sorted by path; "/" is the page itself. Valid for the life of the process.
[[nodiscard]] std::span<const Asset> assets();

/// The asset for a request path, or null.
[[nodiscard]] const Asset* find_asset(std::string_view path);

/// To be sent with every asset: scripts, styles and connections only from where the page came from, no frames, no forms elsewhere.
/// Styles may be inline, since the chart library sets them on its elements.
inline constexpr std::string_view kContentSecurityPolicy =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'";

}  // namespace sluice::web
