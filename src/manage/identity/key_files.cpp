#include "manage/identity/key_files.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace sluice::identity {
namespace {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;

constexpr unsigned kOthersMask = 077;
constexpr std::string_view kFirst = "master.key";
constexpr std::string_view kPrefix = "master-";
constexpr std::string_view kSuffix = ".key";
constexpr std::string_view kDraft = "new";     ///< a key that is being made
constexpr std::string_view kRemoved = "gone";  ///< a key that is being removed
constexpr std::string_view kLock = "lock";

}  // namespace

std::string key_file(KeyNumber number) {
    const std::string folder = std::string(kKeyFolder) + "/";
    if (number == 1) return folder + std::string(kFirst);
    return folder + std::string(kPrefix) + std::to_string(number) + std::string(kSuffix);
}

std::optional<KeyNumber> key_number(std::string_view name) {
    if (name == kFirst) return KeyNumber{1};
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) || name.size() < kPrefix.size() + kSuffix.size()) return std::nullopt;
    const std::string_view digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
    KeyNumber number = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() || digits.starts_with('0') || number < 2)
        return std::nullopt;
    return number;
}

Result<std::vector<KeyNumber>> KeyFiles::numbers() {
    const auto names = files_.list(folder());
    if (!names) return names.error();
    std::vector<KeyNumber> out;
    for (const std::string& name : *names)
        if (const auto number = key_number(name)) out.push_back(*number);
    std::sort(out.begin(), out.end());
    return out;
}

Result<MasterKey> KeyFiles::read(KeyNumber number) {
    const auto mode = files_.permissions(path(number));
    if (!mode) return mode.error();
    if ((*mode & kOthersMask) != 0) return Error{Errc::permission};
    auto file = files_.open(path(number), env::OpenMode::read);
    if (!file) return file.error();
    std::array<base::Byte, kKeyBytes + 1> bytes{};
    const auto got = (*file)->read_at(0, bytes);
    if (!got) return got.error();
    if (*got != kKeyBytes) return Error{Errc::corrupt};
    MasterKey key{Secret(std::span(bytes).first<kKeyBytes>())};
    bytes.fill(0);
    return key;
}

Result<KeyRing> KeyFiles::load() {
    culprit_ = 1;
    const auto found = numbers();
    if (!found) return found.error();
    KeyRing ring;
    for (const KeyNumber number : *found) {
        culprit_ = number;
        auto key = read(number);
        if (!key && key.error().code == Errc::not_found) continue;  // removed meanwhile
        if (!key) return key.error();
        ring.add(number, *key);
    }
    culprit_ = 1;
    if (ring.size() == 0) return Error{Errc::not_found};
    return ring;
}

Result<KeyRing> KeyFiles::open() {
    auto ring = load();
    if (!ring) return ring;
    for (const KeyNumber number : ring->numbers()) {
        culprit_ = number;
        auto file = files_.open(path(number), env::OpenMode::read);
        if (!file) return file.error();
        if (auto synced = (*file)->sync(); !synced) return synced.error();
    }
    if (auto synced = files_.sync_directory(folder()); !synced) return synced.error();
    if (auto synced = files_.sync_directory(data_); !synced) return synced.error();
    if (auto swept = sweep(); !swept) return swept.error();
    return ring;
}

Result<KeyRing> KeyFiles::open_or_create(env::Entropy& entropy) {
    auto ring = open();
    if (ring || ring.error().code != Errc::not_found) return ring;
    if (auto made = create(entropy, 1); !made) return made.error();
    return open();
}

/// Written beside its place first, so that a cut leaves no half key.
Status KeyFiles::create(env::Entropy& entropy, KeyNumber number) {
    const std::string draft = folder() + "/" + std::string(kDraft);
    if (auto made = files_.make_directory(folder()); !made) return made;
    if (auto removed = files_.remove(draft); !removed && removed.error().code != Errc::not_found) return removed;
    auto file = files_.open(draft, env::OpenMode::create_new);
    if (!file) return file.error();
    Secret secret;
    entropy.fill(secret.writable());
    if (auto wrote = (*file)->write_at(0, secret.bytes()); !wrote) return wrote;
    if (auto synced = (*file)->sync(); !synced) return synced;
    if (auto renamed = files_.rename(draft, path(number)); !renamed) return renamed;
    if (auto synced = files_.sync_directory(folder()); !synced) return synced;
    return files_.sync_directory(data_);
}

Result<KeyNumber> KeyFiles::add(env::Entropy& entropy, KeyNumber after) {
    // Before the lock, which would make a folder's file where there is no folder.
    if (const auto there = numbers(); !there || there->empty()) return there ? Error{Errc::not_found} : there.error();
    const auto lock = files_.lock(folder() + "/" + std::string(kLock));
    if (!lock) return lock.error();
    const auto there = numbers();
    if (!there) return there.error();
    const KeyNumber newest = there->empty() ? after : std::max(after, there->back());
    if (newest == kKeyNumberMax) return Error{Errc::limit};
    const auto number = static_cast<KeyNumber>(newest + 1);
    if (auto made = create(entropy, number); !made) return made.error();
    return number;
}

Status KeyFiles::remove(KeyNumber number) {
    if (auto moved = files_.rename(path(number), folder() + "/" + std::string(kRemoved)); !moved) return moved;
    if (auto synced = files_.sync_directory(folder()); !synced) return synced;
    return sweep();
}

/// Its bytes go first: where a file system writes in place, nothing is left of them. (Flash keeps copies; docs/keys.md.)
Status KeyFiles::sweep() {
    const std::string gone = folder() + "/" + std::string(kRemoved);
    auto file = files_.open(gone, env::OpenMode::read_write);
    if (!file) return file.error().code == Errc::not_found ? Status{} : Status{file.error()};
    // A disk that is full or ill does not keep the file from going.
    if (const auto wiped = (*file)->write_at(0, base::Bytes(kKeyBytes)); wiped) (void)(*file)->sync();
    file->reset();
    if (auto removed = files_.remove(gone); !removed) return removed;
    return files_.sync_directory(folder());
}

}  // namespace sluice::identity
