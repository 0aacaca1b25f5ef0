#include "gateway/key_desk.hpp"

#include <algorithm>
#include <utility>

namespace sluice::gateway {

std::uint64_t KeyView::older_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& each : held)
        for (const HeldKey& key : each) sum += key.key == keys.back() ? 0 : key.bytes;
    return sum;
}

std::uint64_t KeyView::older_items(KeyHolder holder) const {
    std::uint64_t sum = 0;
    for (const HeldKey& key : held[static_cast<std::size_t>(holder)]) sum += key.key == keys.back() ? 0 : key.items;
    return sum;
}

std::shared_ptr<const identity::KeyRing> KeyDesk::keys() const {
    const std::lock_guard guard(lock_);
    return keys_;
}

void KeyDesk::publish(identity::KeyRing keys) {
    auto fresh = std::make_shared<const identity::KeyRing>(std::move(keys));
    const std::lock_guard guard(lock_);
    keys_ = std::move(fresh);
    edition_.fetch_add(1, std::memory_order_release);
}

void KeyDesk::report(KeyHolder holder, identity::KeyNumber newest, std::vector<HeldKey> held) {
    const std::lock_guard guard(lock_);
    reports_[static_cast<std::size_t>(holder)] = {newest, std::move(held)};
}

std::vector<identity::KeyNumber> KeyDesk::idle() const {
    const std::lock_guard guard(lock_);
    const identity::KeyNumber newest = keys_->newest();
    if (!std::all_of(reports_.begin(), reports_.end(), [newest](const Report& each) { return each.newest == newest; })) return {};
    std::vector<identity::KeyNumber> out = keys_->numbers();
    out.pop_back();
    std::erase_if(out, [this](identity::KeyNumber number) {
        return std::any_of(reports_.begin(), reports_.end(), [number](const Report& each) {
            return std::any_of(each.held.begin(), each.held.end(), [number](const HeldKey& held) { return held.key == number; });
        });
    });
    return out;
}

KeyView KeyDesk::view() const {
    const std::lock_guard guard(lock_);
    KeyView out{keys_->numbers(), {}};
    for (std::size_t i = 0; i < kKeyHolders; ++i) out.held[i] = reports_[i].held;
    return out;
}

}  // namespace sluice::gateway
