#include "manage/identity/document_sealer.hpp"

#include "manage/identity/aead.hpp"

namespace sluice::identity {
namespace {

using base::Errc;
using base::Error;
using base::Result;

constexpr base::Byte kUnnumbered = 1;
constexpr base::Byte kFormat = 2;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kPrefixBytes = DocumentSealer::kHeadBytes + kSaltBytes;
constexpr std::string_view kInfo = "sluice document";

}  // namespace

base::Bytes DocumentSealer::seal(base::ByteView plain, base::ByteView associated) {
    base::Bytes out(kPrefixBytes + plain.size() + kTagBytes);
    out[0] = kFormat;
    base::store_le(out.data() + 1, keys_.newest());
    entropy_.fill(std::span<base::Byte>(out.data() + kHeadBytes, kSaltBytes));
    const Secret key = derive_key(keys_.newest_key().derive(purpose_), base::ByteView(out).first(kPrefixBytes), base::as_bytes(kInfo));
    Aead(key).seal(0, associated, plain, out.data() + kPrefixBytes);
    return out;
}

Result<KeyNumber> DocumentSealer::key_of(base::ByteView sealed) {
    if (sealed.size() < kHeadBytes) return Error{Errc::corrupt};
    if (sealed[0] == kUnnumbered) return KeyNumber{1};
    if (sealed[0] != kFormat) return Error{Errc::version};
    return base::load_le<KeyNumber>(sealed.data() + 1);
}

Result<base::Bytes> DocumentSealer::open(base::ByteView sealed, base::ByteView associated) const {
    const auto number = key_of(sealed);
    if (!number) return number.error();
    const std::size_t salt_at = sealed[0] == kUnnumbered ? 1 : 0;
    const std::size_t prefix = sealed[0] == kUnnumbered ? 1 + kSaltBytes : kPrefixBytes;
    if (sealed.size() < prefix + kTagBytes) return Error{Errc::corrupt};
    const MasterKey* const master = keys_.find(*number);
    if (master == nullptr) return Error{Errc::wrong_key};
    const base::ByteView salt = sealed.subspan(salt_at, prefix - salt_at);
    base::Bytes plain(sealed.size() - prefix - kTagBytes);
    Aead aead(derive_key(master->derive(purpose_), salt, base::as_bytes(kInfo)));
    if (!aead.open(0, associated, sealed.subspan(prefix), plain.data())) return Error{Errc::corrupt};
    return plain;
}

}  // namespace sluice::identity
