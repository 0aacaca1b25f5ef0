#include "manage/config/located_text.hpp"

#include <algorithm>

namespace sluice::config {

Position LocatedText::position(std::size_t offset) const {
    offset = std::min(offset, value.size());
    auto after =
        std::upper_bound(pieces.begin(), pieces.end(), offset, [](std::size_t at_, const Piece& piece) { return at_ < piece.offset; });
    if (after == pieces.begin()) return at;
    const Piece& piece = *std::prev(after);
    // Columns are characters: continuation bytes of UTF-8 do not count.
    const auto begin = value.begin() + static_cast<std::ptrdiff_t>(piece.offset);
    const auto end = value.begin() + static_cast<std::ptrdiff_t>(offset);
    const auto characters = std::count_if(begin, end, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; });
    return {piece.at.line, piece.at.column + static_cast<std::uint32_t>(characters)};
}

}  // namespace sluice::config
