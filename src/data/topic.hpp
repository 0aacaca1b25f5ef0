// MQTT topic names and filters (MQTT 5.0 §4.7).
#pragma once

#include <string_view>

namespace sluice::data {

/// A topic name: valid UTF-8 without U+0000 or control characters, surrogates or non-characters; no wildcards; 1 to 65,535 bytes.
[[nodiscard]] bool is_topic_name(std::string_view topic);

/// A topic filter: like a name, with `+` as a whole level and `#` as the whole last level. `$share/…` is not split here.
[[nodiscard]] bool is_topic_filter(std::string_view filter);

/// Does the filter match the topic? `#` and `+` in the first level do not match topics that begin with `$` (MQTT-4.7.2-1).
/// Both must be valid. Linear in their lengths.
[[nodiscard]] bool filter_matches(std::string_view filter, std::string_view topic);

/// The n-th level of a topic, from 1; empty where there are fewer. A level can itself be empty.
[[nodiscard]] std::string_view topic_level(std::string_view topic, unsigned n);

/// Valid UTF-8 in the sense of MQTT's UTF-8 Encoded String (MQTT 5.0 §1.5.4): no surrogates, no U+0000.
[[nodiscard]] bool is_mqtt_utf8(std::string_view text);

/// The same without control characters and non-characters (which a receiver may refuse): what client ids and user names must be. May be
/// empty.
[[nodiscard]] bool is_plain_text(std::string_view text);

}  // namespace sluice::data
