// The master keys of a gateway, by number: the newest seals, older ones open what was sealed with them.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "manage/identity/master_key.hpp"

namespace sluice::identity {

/// From 1, never used twice. 0: none.
using KeyNumber = std::uint16_t;
inline constexpr KeyNumber kKeyNumberMax = 65535;  ///< one a day lasts 179 years

/// A value, never empty. Any thread may read it.
class KeyRing {
public:
    /// Of a gateway that was never told to rotate: one key.
    explicit KeyRing(const MasterKey& first) : keys_{{1, first}} {}

    void add(KeyNumber number, const MasterKey& key) { keys_.insert_or_assign(number, key); }
    /// Not the newest.
    void remove(KeyNumber number);

    [[nodiscard]] KeyNumber newest() const { return keys_.rbegin()->first; }
    [[nodiscard]] const MasterKey& newest_key() const { return keys_.rbegin()->second; }
    /// nullptr: there is none of this number.
    [[nodiscard]] const MasterKey* find(KeyNumber number) const;
    [[nodiscard]] std::size_t size() const { return keys_.size(); }
    /// Ascending.
    [[nodiscard]] std::vector<KeyNumber> numbers() const;

private:
    friend class KeyFiles;
    KeyRing() = default;
    std::map<KeyNumber, MasterKey> keys_;
};

}  // namespace sluice::identity
