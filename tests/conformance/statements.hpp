// The numbered requirements of both standards, in our own short words: what the table in docs/conformance.md is made of.
#pragma once

#include <span>
#include <string_view>

namespace sluice::conformance {

enum class Whom {
    server,    ///< binds us: must have a test
    client,    ///< binds clients only
    unused,    ///< binds servers that do, or lack, something which ours does not or has; `words` end with why
    elsewhere  ///< binds the runtime around the hub; `words` end with where
};

struct Statement {
    std::string_view number;  ///< "3.1.2-24", as in [MQTT-3.1.2-24]
    Whom whom;
    std::string_view words;
};

/// MQTT 3.1.1, OASIS standard of 2014-10-29.
[[nodiscard]] std::span<const Statement> statements_311();
/// MQTT 5.0, OASIS standard of 2019-03-07.
[[nodiscard]] std::span<const Statement> statements_5();

}  // namespace sluice::conformance
