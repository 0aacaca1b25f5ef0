// links: sluice_flow_spool
// Any bytes as a manifest: as the body (what decodes encodes to the same bytes) and as a whole slot.
#include <algorithm>
#include <cstdlib>

#include "flow/spool/manifest.hpp"
#include "flow/spool/plain_sealer_for_tests.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sluice;
    if (size > spool::kManifestSlotBytes) return 0;
    const base::ByteView input(data, size);
    spool::PlainSealer sealer;
    if (const auto manifest = spool::decode_manifest(input)) {
        const base::Bytes again = spool::encode(*manifest);  // checks the sums of every class
        const auto twice = spool::decode_manifest(again);
        if (!twice || *twice != *manifest) std::abort();
        const auto opened = spool::open_manifest(spool::seal_manifest(*manifest, 1, {}, sealer), sealer);
        if (!opened || opened->manifest != *manifest) std::abort();
    }
    (void)spool::open_manifest(input, sealer);  // any answer is right; only crashes count
    const auto header = spool::decode_manifest_header(input);
    if (header && header->key.number == 0) std::abort();  // that stands for "none"
    return 0;
}
