// links: sluice_codec_mqtt
// frame() on every prefix: once it has decided, more bytes do not change its mind; and it agrees with a plain reading of the standard.
#include <cstdint>
#include <cstdlib>

#include "codec/mqtt/framing.hpp"

using namespace sluice::mqtt;
using sluice::base::ByteView;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::uint32_t kLimit = 1000;
    const ByteView in(data, size);
    const auto whole = frame(in, kLimit);
    for (std::size_t cut = 0; cut < size && cut < 2 * kLimit; ++cut) {
        const auto part = frame(in.first(cut), kLimit);
        if (part.status == FrameStatus::incomplete) continue;
        if (part.status != whole.status || part.total != whole.total || part.body_offset != whole.body_offset) std::abort();
    }
    if (whole.status == FrameStatus::complete) {
        std::uint64_t length = 0;  // §1.5.5, non-normative comment: the algorithm as printed there
        std::uint64_t multiplier = 1;
        std::size_t at = 1;
        while (true) {
            length += (data[at] & 127U) * multiplier;
            multiplier *= 128;
            if ((data[at++] & 128U) == 0) break;
        }
        if (whole.total != at + length || whole.body_offset != at || whole.total > kLimit || whole.total > size) std::abort();
    }
    return 0;
}
