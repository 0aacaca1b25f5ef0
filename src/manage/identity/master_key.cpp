#include "manage/identity/master_key.hpp"

#include "manage/identity/aead.hpp"

namespace sluice::identity {
namespace {

using base::Errc;
using base::Error;
using base::Result;

constexpr unsigned kOthersMask = 077;

std::string path_of(const std::string& data_directory) { return data_directory + "/" + std::string(kMasterKeyFile); }

/// Written beside its place first, so that a cut leaves no half key.
base::Status create(env::FileSystem& files, env::Entropy& entropy, const std::string& data_directory) {
    const std::string path = path_of(data_directory);
    const std::string fresh = path + ".new";
    const std::string folder = data_directory + "/keys";
    if (auto made = files.make_directory(folder); !made) return made;
    if (auto removed = files.remove(fresh); !removed && removed.error().code != Errc::not_found) return removed;
    auto file = files.open(fresh, env::OpenMode::create_new);
    if (!file) return file.error();
    Secret secret;
    entropy.fill(secret.writable());
    if (auto wrote = (*file)->write_at(0, secret.bytes()); !wrote) return wrote;
    if (auto synced = (*file)->sync(); !synced) return synced;
    if (auto renamed = files.rename(fresh, path); !renamed) return renamed;
    if (auto synced = files.sync_directory(folder); !synced) return synced;
    return files.sync_directory(data_directory);
}

}  // namespace

Result<MasterKey> MasterKey::load(env::FileSystem& files, const std::string& data_directory) {
    const std::string path = path_of(data_directory);
    auto mode = files.permissions(path);
    if (!mode) return mode.error();
    if ((*mode & kOthersMask) != 0) return Error{Errc::permission};
    auto file = files.open(path, env::OpenMode::read);
    if (!file) return file.error();
    std::array<base::Byte, kKeyBytes + 1> bytes{};
    auto got = (*file)->read_at(0, bytes);
    if (!got) return got.error();
    if (*got != kKeyBytes) return Error{Errc::corrupt};
    MasterKey key{Secret(std::span(bytes).first<kKeyBytes>())};
    bytes.fill(0);
    return key;
}

Result<MasterKey> MasterKey::load_or_create(env::FileSystem& files, env::Entropy& entropy, const std::string& data_directory) {
    auto key = load(files, data_directory);
    if (key || key.error().code != Errc::not_found) return key;
    if (auto made = create(files, entropy, data_directory); !made) return made.error();
    return load(files, data_directory);
}

Secret MasterKey::derive(std::string_view purpose, base::ByteView context) const {
    const std::string info = "sluice " + std::string(purpose);
    return derive_key(secret_, context, base::as_bytes(info));
}

}  // namespace sluice::identity
