#include "flow/spool/segment_name.hpp"

#include <charconv>

#include <fmt/format.h>

#include "data/reading.hpp"

namespace sluice::spool {
namespace {

constexpr std::size_t kNameBytes = 2 + 1 + 16 + 4;  // SS-NNNNNNNNNNNNNNNN.seg

template <class T>
bool parse_hex(std::string_view text, T& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
    return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::optional<SegmentName> parse_segment_name(std::string_view name) {
    SegmentName found;
    if (name.size() != kNameBytes || name[2] != '-' || name.substr(19) != ".seg") return std::nullopt;
    if (!parse_hex(name.substr(0, 2), found.slot) || !parse_hex(name.substr(3, 16), found.number)) return std::nullopt;
    if (found.slot >= data::kClassesMax || found.number == 0) return std::nullopt;
    return found;
}

std::string format(const SegmentName& name) { return fmt::format("{:02x}-{:016x}.seg", name.slot, name.number); }

}  // namespace sluice::spool
