// What is wrong with a configuration file, and where.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

/// A place in the file; both count from 1, columns in characters (code points), as editors show them.
struct Position {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
    friend constexpr auto operator<=>(const Position&, const Position&) = default;
};

/// The position of a value. All are equal, so that two configurations are equal when they mean the same, wherever it stands in the file.
struct Place : Position {
    constexpr Place() = default;
    // A position is given wherever one is known: implicit on purpose. NOLINTNEXTLINE(google-explicit-constructor)
    constexpr Place(Position position) : Position(position) {}
    friend constexpr bool operator==(const Place&, const Place&) { return true; }
};

/// Worst first.
enum class Severity : std::uint8_t {
    error,    ///< nothing may start with this file
    warning,  ///< works, but probably not as meant
    note,     ///< valid; see `not_built`
};

struct Problem {
    Severity severity = Severity::error;
    Position at{};
    std::string key{};      ///< path of the key it is about: `rules[0].sql`; may be empty
    std::string message{};  ///< what is wrong, what was expected; one line, no full stop
    bool not_built = false;
    std::string file{};  ///< another file than the configuration itself, that it names; empty: itself
    friend bool operator==(const Problem&, const Problem&) = default;
};

using Problems = std::vector<Problem>;

/// The order in which people read them: the configuration first, by place, then the files that it names.
[[nodiscard]] bool is_before(const Problem& a, const Problem& b);

/// At most so many bytes of a text, cut at a character's border, and then `…`.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t bytes_max);

/// `FILE:LINE:COL: error: message` (the problem's own file where it has one), one line, without a line break. Control characters in the
/// message are shown as `\xNN`.
[[nodiscard]] std::string format(std::string_view file, const Problem& problem);

/// format() of all, a line each, in the order of the file.
[[nodiscard]] std::string format_all(std::string_view file, const Problems& problems);

/// The same as a JSON array: `[{"file","line","column","severity","key","message","not_built"}]`.
[[nodiscard]] std::string to_json(std::string_view file, const Problems& problems);

/// No errors: `check` says good.
[[nodiscard]] bool is_valid(const Problems& problems);

/// No errors and nothing that is not built yet: a daemon may start.
[[nodiscard]] bool is_runnable(const Problems& problems);

/// What a daemon prints before it refuses: like the input, with each "not built yet" note turned into an error that names the key.
[[nodiscard]] Problems as_refusal(Problems problems);

}  // namespace sluice::config
