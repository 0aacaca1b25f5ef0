// The file name of a segment: SS-NNNNNNNNNNNNNNNN.seg (docs/formats/spool.md, "Files").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::spool {

struct SegmentName {
    std::uint8_t slot = 0;
    std::uint64_t number = 0;  ///< rises over all classes; from 1
    friend auto operator<=>(const SegmentName&, const SegmentName&) = default;
};

/// None: not the name of a segment.
[[nodiscard]] std::optional<SegmentName> parse_segment_name(std::string_view name);
[[nodiscard]] std::string format(const SegmentName& name);

}  // namespace sluice::spool
