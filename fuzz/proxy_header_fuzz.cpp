// links: sluice_codec_proxy
// parse() on every prefix: once it has decided, more bytes do not change its mind, and what it read lies within the header.
#include <cstdint>
#include <cstdlib>

#include "codec/proxy/header.hpp"

using namespace sluice::proxy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const sluice::base::ByteView in(data, size);
    const auto whole = parse(in);
    if (whole.status == ParseStatus::complete && (whole.size > size || whole.size < 16 || whole.size > kHeaderBytesMax)) std::abort();
    for (std::size_t cut = 0; cut < size && cut < 2 * kHeaderBytesMax; ++cut) {
        const auto part = parse(in.first(cut));
        if (part.status == ParseStatus::incomplete) continue;
        // A header may be refused for its first bytes and for its length; which of the two is said depends on what was there.
        if (part.status != whole.status || part.size != whole.size || part.header.port != whole.header.port) std::abort();
    }
    return 0;
}
