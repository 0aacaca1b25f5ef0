// The text of a configuration file, its lines, and where the characters of a scalar's value came from.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "manage/config/located_text.hpp"

namespace sluice::config {

enum class ScalarStyle : std::uint8_t { plain, single_quoted, double_quoted, literal, folded };

/// Borrows the text, which must outlive it. One thread.
class Source {
public:
    explicit Source(std::string_view text);

    [[nodiscard]] std::string_view text() const { return text_; }

    /// Line and column, both from 1, of a byte offset (columns in code points). Offsets past the end give the end.
    [[nodiscard]] Position position(std::size_t offset) const;

    /// Byte offset of a line and a byte column, both from 0, as yaml-cpp's marks have them. Clamped to the text.
    [[nodiscard]] std::size_t offset(int line, int column) const;

    /// The whole line (without its end) that an offset lies in.
    [[nodiscard]] std::string_view line_at(std::size_t offset) const;

    [[nodiscard]] ScalarStyle style_at(std::size_t offset) const;

    /// False for a quoted scalar without its second quote. (yaml-cpp 0.7 takes the end of a file for one when it follows a line break.)
    [[nodiscard]] bool quote_is_closed(std::size_t offset) const;

    /// Maps a scalar's value, which starts at `offset` in the file, back to the file. YAML 1.2.2, chapters 7.3 and 8.1, as far as line
    /// folding, indentation and escapes move characters.
    [[nodiscard]] LocatedText locate(std::size_t offset, std::string_view value) const;

private:
    [[nodiscard]] std::vector<std::size_t> align_block(std::size_t at, std::string_view value, ScalarStyle style) const;
    [[nodiscard]] std::vector<std::size_t> align_flow(std::size_t at, std::string_view value, ScalarStyle style) const;

    std::string_view text_;
    std::vector<std::size_t> line_starts_;
    // The last answer: a file of one long line with many values is asked from left to right, and must not be counted anew each time.
    mutable std::size_t last_offset_ = 0;
    mutable Position last_;
};

/// The first byte that may not stand in a configuration: invalid UTF-8 or a control character other than tab and line ends.
[[nodiscard]] std::optional<std::size_t> first_bad_byte(std::string_view text);

}  // namespace sluice::config
