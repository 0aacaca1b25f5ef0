// Regular expressions (RE2): compiled once with the rule, matched in time linear in the text, whatever pattern and text are.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace sluice::rules {

/// Immutable; any thread may match with it.
class Pattern {
public:
    /// Groups that can be named, the whole match (0) included.
    static constexpr std::size_t kGroupsMax = 10;

    struct Problem {
        std::string message;
        std::size_t offset = 0;  ///< in the pattern
    };
    /// nullptr: not a pattern, see `problem`.
    [[nodiscard]] static std::shared_ptr<const Pattern> make(std::string_view text, Problem& problem);

    Pattern(const Pattern&) = delete;
    Pattern& operator=(const Pattern&) = delete;
    ~Pattern();

    /// The first match at or behind `from`. groups[0] is the whole match, the others what stands in parentheses; a group that took no part
    /// has a data() of nullptr. At most kGroupsMax.
    [[nodiscard]] bool find(std::string_view text, std::size_t from, std::span<std::string_view> groups) const;
    /// As it was given.
    [[nodiscard]] std::string_view text() const;
    /// Of parentheses.
    [[nodiscard]] std::size_t groups() const;

private:
    explicit Pattern(std::unique_ptr<re2::RE2> compiled);

    std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace sluice::rules
