// Walks over the raw text of an object or array that has been found valid before (json::Kind::raw): nothing is checked again, nothing
// copied.
#pragma once

#include <string_view>

#include "codec/json/value.hpp"

namespace sluice::json {

/// for (Walk walk(raw); walk.next();) use(walk.item());
class Walk {
public:
    /// A document that is neither an object nor an array has no items.
    explicit Walk(std::string_view raw);

    /// To the next member or element; false: there is none.
    [[nodiscard]] bool next();
    /// Of an object's member: its key as written, between the quotes.
    [[nodiscard]] std::string_view key() const { return key_; }
    /// The text of the value. A view into `raw`.
    [[nodiscard]] std::string_view item() const { return item_; }

private:
    const char* at_;
    const char* end_;
    bool is_object_ = false;
    std::string_view key_;
    std::string_view item_;
};

[[nodiscard]] inline bool is_array(std::string_view raw) { return !raw.empty() && raw.front() == '['; }
[[nodiscard]] inline bool is_object(std::string_view raw) { return !raw.empty() && raw.front() == '{'; }
/// A text, or the key of a member, that must be unescaped before it is used.
[[nodiscard]] inline bool is_escaped(std::string_view text) { return text.find('\\') != std::string_view::npos; }

/// The value of an item. Texts come as they are written between their quotes: see is_escaped().
[[nodiscard]] Value value_of(std::string_view item);

}  // namespace sluice::json
