// links: sluice_manage_identity
// Any bytes as a sealed document: only what was sealed opens, whatever is changed of it; and any text as the name of a key's file.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "manage/identity/document_sealer.hpp"
#include "manage/identity/key_files.hpp"

namespace {

using namespace sluice;

class Zeros final : public env::Entropy {
public:
    void fill(std::span<base::Byte> out) override { std::fill(out.begin(), out.end(), base::Byte{0}); }
};

identity::KeyRing keys() {
    identity::KeyRing out{identity::MasterKey(identity::Secret())};
    identity::Secret second;
    second.writable()[0] = 1;
    out.add(2, identity::MasterKey(second));
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const base::ByteView input(data, size);
    Zeros entropy;
    identity::DocumentSealer sealer(keys(), identity::kRuleStatePurpose, entropy);
    const base::ByteView name = base::as_bytes("name");
    (void)sealer.open(input, name);  // only crashes count
    const auto key = identity::DocumentSealer::key_of(input);
    if (sealer.open(input, name).has_value() && !key) std::abort();

    // The first bytes are changes to a good document, the rest is its content.
    const std::size_t changes = std::min<std::size_t>(size, 6);
    const base::ByteView plain = input.subspan(changes);
    const base::Bytes good = sealer.seal(plain, name);
    const auto opened = sealer.open(good, name);
    if (!opened || !std::equal(opened->begin(), opened->end(), plain.begin(), plain.end())) std::abort();
    base::Bytes bad = good;
    for (std::size_t i = 0; i + 3 <= changes; i += 3) {
        const std::size_t at = (input[i] + std::size_t{256} * input[i + 1]) % bad.size();
        bad[at] = static_cast<base::Byte>(bad[at] ^ input[i + 2]);
    }
    if (bad != good && sealer.open(bad, name).has_value()) std::abort();

    const std::string file(base::as_text(input));
    if (const auto number = identity::key_number(file); number && identity::key_file(*number) != "keys/" + file) std::abort();
    return 0;
}
