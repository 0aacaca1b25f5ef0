// The files of a ring of master keys: `<data>/keys/master.key` has number 1, `<data>/keys/master-N.key` number N. 32 random bytes each,
// nothing else, mode 0600. docs/keys.md says how they come and go.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "env/entropy.hpp"
#include "env/file_system.hpp"
#include "manage/identity/key_ring.hpp"

namespace sluice::identity {

inline constexpr std::string_view kKeyFolder = "keys";

/// `keys/master.key`, `keys/master-2.key`: below the data folder.
[[nodiscard]] std::string key_file(KeyNumber number);
/// Of a name in the folder; none: no key.
[[nodiscard]] std::optional<KeyNumber> key_number(std::string_view name);

/// One thread; add() may be called by several processes at a time.
class KeyFiles {
public:
    KeyFiles(env::FileSystem& files, std::string data_directory) : files_(files), data_(std::move(data_directory)) {}

    /// Only reads. Errors: not_found (no key at all), permission (readable by others, or by the operating system's word), corrupt (not 32
    /// bytes), io; culprit() is the key that is meant.
    [[nodiscard]] base::Result<KeyRing> load();
    /// For who is about to seal with the newest: all keys are on the medium when it returns (who made one may have died before it had
    /// synced it), and nothing is left of a key whose removal was cut short. Errors: as load().
    [[nodiscard]] base::Result<KeyRing> open();
    /// open(), or a first key where there is none. Errors: as load(); disk_full.
    [[nodiscard]] base::Result<KeyRing> open_or_create(env::Entropy& entropy);

    /// Makes the next key, above `after` and above all that are there; on the medium when it returns. Errors: not_found (there is no key
    /// yet), in_use (another process does the same), limit, permission, disk_full, io: no new key then.
    [[nodiscard]] base::Result<KeyNumber> add(env::Entropy& entropy, KeyNumber after = 0);
    /// Nothing may need it any more, and what replaced that must be on the medium. Cut short it is there, or gone, or finished by the next
    /// open(). Errors: permission, io.
    [[nodiscard]] base::Status remove(KeyNumber number);
    /// Numbers of the files that are there, readable or not, ascending. Errors: not_found, permission, io.
    [[nodiscard]] base::Result<std::vector<KeyNumber>> numbers();
    /// One key alone. Errors: as load().
    [[nodiscard]] base::Result<MasterKey> read(KeyNumber number);

    [[nodiscard]] KeyNumber culprit() const { return culprit_; }

private:
    [[nodiscard]] std::string folder() const { return data_ + "/" + std::string(kKeyFolder); }
    [[nodiscard]] std::string path(KeyNumber number) const { return data_ + "/" + key_file(number); }
    [[nodiscard]] base::Status create(env::Entropy& entropy, KeyNumber number);
    [[nodiscard]] base::Status sweep();

    env::FileSystem& files_;
    std::string data_;
    KeyNumber culprit_ = 1;
};

}  // namespace sluice::identity
