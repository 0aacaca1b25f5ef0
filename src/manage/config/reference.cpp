#include "manage/config/reference.hpp"

#include <algorithm>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "manage/config/keys.hpp"

namespace sluice::config {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

*Made from the key tables in `src/manage/config/*_keys.cpp`; a test fails when this page differs from them. To write it anew:
`SLUICE_UPDATE=1 manage_config_test --gtest_filter='Reference.*'`.*

A file is YAML: one document, no anchors, aliases or tags, at most 8 MiB. Unknown keys are errors, with a suggestion. Paths are relative to
the file. `sluice check -c FILE` reports every problem as `FILE:LINE:COL: error: …`; the daemons check the same way when they start and touch
nothing before. `examples/` has files that run as they stand, `sluice init` writes commented ones.

| type | is written |
|---|---|
| duration | `250ms` `3s` `5m` `18h` `7d` |
| size | `4096` (bytes) `256KiB` `64MiB` `2GiB`; `kB` `MB` `GB` are powers of 1000 |
| percentage | `30%` |
| name | letters, digits, `_` and `-`, 1 to 64 of them |
| path | of a file or folder; *existing*: it must be there when the file is checked |

*Not built yet*: the reader validates the key and `sluice check` notes it; a daemon refuses to start while it is in the file.

Longer SQL is best written as a literal block (`sql: |`): problems in it are then reported at their own line and column.

Without `auth`, everyone who can reach a listener may connect; so all listeners must be on this machine (`127.0.0.1`, `::1`, `localhost`, a
unix socket). `auth: {anonymous: true}` says that everyone else may come too.
)";

std::string_view type_name(const Key& key) {
    switch (key.kind) {
        case KeyKind::section:
            return key.shorthand.empty() ? "section" : "section or text";
        case KeyKind::list:
            return key.shorthand.empty() ? "list" : "list or text";
        case KeyKind::map:
            return "names";
        case KeyKind::text:
        case KeyKind::secret:
            return "text";
        case KeyKind::identifier:
            return "name";
        case KeyKind::choice:
            return "choice";
        case KeyKind::boolean:
            return "true, false";
        case KeyKind::integer:
            return "whole number";
        case KeyKind::number:
            return "number";
        case KeyKind::duration:
            return "duration";
        case KeyKind::size:
            return "size";
        case KeyKind::percent:
            return "percentage";
        case KeyKind::path:
            return "path";
        case KeyKind::existing:
            return "existing path";
        case KeyKind::filter:
            return "topic filter";
        case KeyKind::template_:
            return "topic";
        case KeyKind::sql:
            return "SQL";
        case KeyKind::url:
            return "URL";
        case KeyKind::address:
            return "HOST:PORT";
    }
    return "text";
}

std::string code(std::string_view text) { return fmt::format("`{}`", text); }

std::string default_of(const Key& key) {
    if (key.required) return "required";
    return key.fallback.empty() || key.fallback == "[]" ? std::string() : code(key.fallback);
}

std::string range_of(const Key& key) {
    if (!key.max.empty()) return fmt::format("{} … {}", key.min, key.max);
    std::string out;
    for (std::string_view rest = key.choices; !rest.empty();) {
        const std::size_t end = std::min(rest.find(" | "), rest.size());
        out += (out.empty() ? "" : ", ") + code(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 3, rest.size()));
    }
    return out;
}

/// Rows of one top section; elements that explain nothing beyond their list are left out.
void append_section(std::string& page, std::span<const Key> keys, std::string_view top) {
    for (const Key& key : keys) {
        const std::string_view path = key.path;
        const bool inside = path == top || (path.starts_with(top) && (path[top.size()] == '.' || path[top.size()] == '['));
        if (!inside) continue;
        if (path == top) {
            page += fmt::format("\n### `{}`{}\n\n{}{}\n", path, key.built ? "" : " (not built yet)", key.required ? "Required. " : "",
                                key.text);
            const bool leaf = key.kind != KeyKind::section && key.kind != KeyKind::list && key.kind != KeyKind::map;
            page +=
                leaf ? fmt::format("Default: {}.\n", code(key.fallback)) : "\n| key | type | default | range | |\n|---|---|---|---|---|\n";
            continue;
        }
        page += fmt::format("| `{}` | {} | {} | {} | {}{} |\n", path, type_name(key), default_of(key), range_of(key),
                            key.built ? "" : "*Not built yet.* ", key.text);
    }
}

void append_tier(std::string& page, std::span<const Key> keys) {
    for (const Key& key : keys) {
        if (key.path.find_first_of(".[") == std::string_view::npos) append_section(page, keys, key.path);
    }
}

}  // namespace

std::string reference_page() {
    std::string page(kIntroduction);
    page += "\n## Gateway\n";
    append_tier(page, gateway_keys());
    page += "\n## Cloud\n";
    append_tier(page, cloud_keys());
    return page;
}

}  // namespace sluice::config
