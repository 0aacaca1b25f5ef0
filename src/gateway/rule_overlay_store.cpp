#include "gateway/rule_overlay_store.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/fail_point.hpp"
#include "gateway/document_keys.hpp"
#include "manage/identity/key_files.hpp"

namespace sluice::gateway {
namespace {

constexpr std::size_t kNamesMax = 20;  // in one sentence
constexpr std::uint64_t kFileBytesMax = 2 * RuleOverlay::kBytesMax;

}  // namespace

RuleOverlayStore::RuleOverlayStore(env::FileSystem& files, env::Entropy& entropy, identity::KeyRing keys, const std::string& data,
                                   std::size_t bytes_max)
    : files_(files),
      sealer_(std::move(keys), identity::kRuleChangesPurpose, entropy),
      folder_(data + "/state"),
      path_(path_in(data)),
      bytes_max_(bytes_max) {}

base::Result<RuleOverlay> RuleOverlayStore::load() {
    auto file = files_.open(path_, env::OpenMode::read);
    if (!file) {
        if (file.error().code == base::Errc::not_found) return RuleOverlay{};
        return file.error();
    }
    const auto size = (*file)->size();
    if (!size) return size.error();
    if (*size > kFileBytesMax) return base::Error{base::Errc::corrupt};
    base::Bytes sealed(*size);
    const auto read = (*file)->read_at(0, sealed);
    if (!read) return read.error();
    sealed.resize(*read);
    const auto plain = sealer_.open(sealed, base::as_bytes(kName));
    if (!plain) return plain.error();
    return RuleOverlay::decode(*plain);
}

base::Status RuleOverlayStore::save(const RuleOverlay& overlay) {
    const base::Bytes plain = overlay.encode();
    if (plain.size() > bytes_max_) return base::Error{base::Errc::too_large};
    const base::Bytes sealed = sealer_.seal(plain, base::as_bytes(kName));
    const std::string draft = path_ + ".new";
    // A draft of a run that was cut short is worth nothing; that there is none is the normal case.
    (void)files_.remove(draft);
    auto file = files_.open(draft, env::OpenMode::create_new);
    if (!file) return file.error();
    if (auto written = (*file)->write_at(0, sealed); !written) return written;
    if (auto synced = (*file)->sync(); !synced) return synced;
    file->reset();
    base::pass(base::FailPoint::rules_written);
    if (auto renamed = files_.rename(draft, path_); !renamed) return renamed;
    base::pass(base::FailPoint::rules_renamed);
    return files_.sync_directory(folder_);
}

base::Result<std::optional<identity::KeyNumber>> RuleOverlayStore::key() const {
    // What has taken the file's place is read, and after a power cut it could be the one before.
    if (auto synced = files_.sync_directory(folder_); !synced) return synced.error();
    return document_key(files_, path_);
}

base::Result<std::string> RuleOverlayStore::put_aside() {
    std::string name = path_ + ".unreadable";
    (void)files_.remove(name);  // of an earlier time; usually there is none
    if (auto moved = files_.rename(path_, name); !moved) return moved.error();
    if (auto synced = files_.sync_directory(folder_); !synced) return synced.error();
    return name;
}

RuleOverlay saved_rule_changes(env::FileSystem& files, env::Entropy& entropy, const std::string& data) {
    if (!files.open(RuleOverlayStore::path_in(data), env::OpenMode::read)) return {};
    auto keys = identity::KeyFiles(files, data).load();
    if (!keys) return {};
    return RuleOverlayStore(files, entropy, std::move(*keys), data).load().value_or(RuleOverlay{});
}

std::vector<std::string> sentences(const RuleOverlay& overlay) {
    std::vector<std::string> put;
    std::vector<std::string> removed;
    std::vector<std::string> paused;
    for (const auto& [id, change] : overlay.changes()) {
        if (change.kind == RuleChange::Kind::put) put.push_back(id);
        if (change.kind == RuleChange::Kind::removed) removed.push_back(id);
        if (change.paused) paused.push_back(id);
    }
    std::vector<std::string> out;
    const auto say = [&out](std::string_view what, std::vector<std::string>& ids) {
        if (ids.empty()) return;
        const std::size_t all = ids.size();
        ids.resize(std::min(all, kNamesMax));
        out.push_back(fmt::format("{} at run time: {}{}", what, fmt::join(ids, ", "),
                                  all > kNamesMax ? fmt::format(" and {} more", all - kNamesMax) : ""));
    };
    say("put", put);
    say("removed", removed);
    say("paused", paused);
    return out;
}

}  // namespace sluice::gateway
