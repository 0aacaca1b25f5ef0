#include "manage/identity/key_ring.hpp"

#include "base/check.hpp"

namespace sluice::identity {

void KeyRing::remove(KeyNumber number) {
    base::check(number != newest(), "keys: the newest key is not removed");
    keys_.erase(number);
}

const MasterKey* KeyRing::find(KeyNumber number) const {
    const auto found = keys_.find(number);
    return found == keys_.end() ? nullptr : &found->second;
}

std::vector<KeyNumber> KeyRing::numbers() const {
    std::vector<KeyNumber> out;
    out.reserve(keys_.size());
    for (const auto& [number, key] : keys_) out.push_back(number);
    return out;
}

}  // namespace sluice::identity
