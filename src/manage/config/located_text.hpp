// Values that remember where in the file they stand, for problems found by later stages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "manage/config/problem.hpp"

namespace sluice::config {

/// Text from a scalar, with a map from offsets in the value back to the file: YAML's block, quoted and folded styles take away
/// indentation, line breaks and escapes.
struct LocatedText {
    /// From this offset of the value on, characters stand one after the other in one line of the file.
    struct Piece {
        std::uint32_t offset;
        Position at;
    };

    std::string value;
    Position at;                ///< of the scalar (its `|`, quote or first character)
    std::vector<Piece> pieces;  ///< ascending offsets; empty: everything is at `at`

    /// Where the character at a byte offset of the value stands in the file. Offsets past the end give the place just behind the last
    /// character. Exact for literal blocks, plain and quoted scalars.
    [[nodiscard]] Position position(std::size_t offset) const;

    friend bool operator==(const LocatedText& a, const LocatedText& b) { return a.value == b.value; }  ///< wherever they stand
};

/// Text that needs only its place.
struct Located {
    std::string value;
    Position at;
    friend bool operator==(const Located& a, const Located& b) { return a.value == b.value; }  ///< wherever they stand
};

/// A path, made absolute or relative to the process: relative ones in the file are relative to the file's folder. Empty: not given.
struct Path {
    std::string value;
    Position at;
    [[nodiscard]] bool empty() const { return value.empty(); }
    friend bool operator==(const Path& a, const Path& b) { return a.value == b.value; }  ///< wherever they stand
};

}  // namespace sluice::config
