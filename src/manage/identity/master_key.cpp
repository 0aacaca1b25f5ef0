#include "manage/identity/master_key.hpp"

#include <string>

#include "manage/identity/aead.hpp"

namespace sluice::identity {

Secret MasterKey::derive(std::string_view purpose, base::ByteView context) const {
    const std::string info = "sluice " + std::string(purpose);
    return derive_key(secret_, context, base::as_bytes(info));
}

}  // namespace sluice::identity
