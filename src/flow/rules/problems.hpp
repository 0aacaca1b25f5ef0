// Collects what is wrong with one rule's SQL, with its place.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flow/rules/rule.hpp"

namespace sluice::rules {

class Problems {
public:
    explicit Problems(std::string_view sql) : sql_(sql) {}

    void error(std::size_t offset, std::string message) { add(offset, std::move(message), Severity::error); }
    void not_built(std::size_t offset, std::string message) { add(offset, std::move(message), Severity::not_built); }
    void warning(std::size_t offset, std::string message) { add(offset, std::move(message), Severity::warning); }

    /// Anything worse than a warning?
    [[nodiscard]] bool fatal() const { return fatal_; }
    /// In the order of their places.
    [[nodiscard]] std::vector<SqlError> take();

private:
    void add(std::size_t offset, std::string message, Severity severity);

    std::string_view sql_;
    std::vector<SqlError> list_;
    bool fatal_ = false;
};

/// The candidate that is most like the word (a few letters wrong, missing or swapped; case aside), or nothing.
[[nodiscard]] std::string_view most_like(std::string_view word, std::span<const std::string_view> candidates);

/// "; did you mean x?" or "".
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

[[nodiscard]] std::string lower_case(std::string_view text);
[[nodiscard]] bool same_word(std::string_view a, std::string_view b);

}  // namespace sluice::rules
