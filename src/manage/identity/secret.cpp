#include "manage/identity/secret.hpp"

#include <algorithm>

#include <openssl/crypto.h>

namespace sluice::identity {

Secret::Secret(std::span<const base::Byte, kKeyBytes> bytes) { std::copy(bytes.begin(), bytes.end(), bytes_.begin()); }

Secret::~Secret() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

}  // namespace sluice::identity
