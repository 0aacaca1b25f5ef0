// A text or JSON value whose length is not known before it is made.
#pragma once

#include <string_view>

#include "base/bytes.hpp"
#include "flow/rules/expression.hpp"

namespace sluice::rules {

/// Appends to the engine's scratch, which is a stack: between two pieces other calls may be evaluated, which build texts as well.
class TextBuilder {
public:
    explicit TextBuilder(Scope& scope) : scope_(scope), bytes_(*scope.scratch), start_(bytes_.size()) {}
    ~TextBuilder() { bytes_.resize(start_); }
    TextBuilder(const TextBuilder&) = delete;
    TextBuilder& operator=(const TextBuilder&) = delete;

    [[nodiscard]] base::Bytes& bytes() { return bytes_; }
    void append(std::string_view text) { base::append(bytes_, text); }
    void append(char c) { bytes_.push_back(static_cast<base::Byte>(c)); }
    [[nodiscard]] std::string_view view() const { return base::as_text(base::ByteView(bytes_).subspan(start_)); }
    /// More than any text may have: what comes out is a bad value. Whoever appends in a loop asks.
    [[nodiscard]] bool too_long() const { return bytes_.size() - start_ > TextArena::kBytesMax; }

    /// Copied into the arena; a bad value where that has no room.
    [[nodiscard]] Value text() { return copy_text(scope_, Value::text(view())); }
    [[nodiscard]] Value raw() { return copy_text(scope_, Value::raw(view())); }

private:
    Scope& scope_;
    base::Bytes& bytes_;
    std::size_t start_;
};

}  // namespace sluice::rules
