// Every key of a configuration file, in one table: the reader validates from it and docs/configuration.md is generated from it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::config {

enum class KeyKind : std::uint8_t {
    section,     ///< a mapping with the keys that begin with this path and a dot
    list,        ///< of what `path[]` describes
    map,         ///< free names; of what `path.*` describes
    text,        ///< any scalar
    secret,      ///< text that no message may repeat
    identifier,  ///< [A-Za-z0-9_-]{1,64}
    choice,      ///< one of `choices`
    boolean,
    integer,
    number,
    duration,
    size,
    percent,
    path,       ///< made by us, or looked at later
    existing,   ///< a file or folder that must be there
    filter,     ///< an MQTT topic filter
    template_,  ///< a topic with {columns}
    sql,
    url,
    address,  ///< HOST:PORT
};

/// One row. Defaults and bounds are written as in a file; a test reads them all.
struct Key {
    /// `limits.payload`; `[]` is an element of a list, `*` any name of a map.
    std::string_view path;
    KeyKind kind = KeyKind::section;
    /// What counts when the key is absent; empty: nothing.
    std::string_view fallback{};
    std::string_view min{};
    std::string_view max{};
    std::string_view choices{};
    /// A section that may be written as one scalar: the key that the scalar then is. For a list: "[]", one element without the list.
    std::string_view shorthand{};
    /// A section that takes the keys of this one, too, but for its maps. Both at the top of the file or in a map there; that one first.
    std::string_view like{};
    bool required = false;
    /// False: validated and noted, nothing runs it yet.
    bool built = true;
    /// What it does, what happens at the limit, what counts it. For docs and messages.
    std::string_view text{};
};

[[nodiscard]] std::span<const Key> gateway_keys();
/// Of these, what rules use: tables, classes of machines.
[[nodiscard]] std::span<const Key> rule_data_keys();
/// Of these, `uplink`.
[[nodiscard]] std::span<const Key> uplink_keys();
[[nodiscard]] std::span<const Key> cloud_keys();

}  // namespace sluice::config
