#include "gateway/state_store.hpp"

#include <charconv>

namespace sluice::gateway {
namespace {

constexpr std::string_view kRulePrefix = "rules-";
constexpr std::string_view kTotals = "ledger";
constexpr std::string_view kCleanMark = "clean";
constexpr std::string_view kOwner = "gateway";
constexpr std::size_t kTotalsBytes = 24;
constexpr std::uint64_t kFileBytesMax = std::uint64_t{2} << 30;

}  // namespace

StateStore::StateStore(env::FileSystem& files, identity::DocumentSealer& sealer, std::string directory)
    : files_(files), sealer_(sealer), directory_(std::move(directory)) {}

base::Status StateStore::open() { return files_.make_directory(directory_); }

base::Status StateStore::replace(const std::string& name, base::ByteView plain) {
    const base::Bytes sealed = sealer_.seal(plain, base::as_bytes(name));
    const std::string path = directory_ + "/" + name;
    const std::string draft = path + ".new";
    // A draft of a run that was cut short is worth nothing; that there is none is the normal case.
    (void)files_.remove(draft);
    auto file = files_.open(draft, env::OpenMode::create_new);
    if (!file) return file.error();
    if (auto written = (*file)->write_at(0, sealed); !written) return written;
    if (auto synced = (*file)->sync(); !synced) return synced;
    file->reset();
    if (auto renamed = files_.rename(draft, path); !renamed) return renamed;
    return files_.sync_directory(directory_);
}

base::Result<base::Bytes> StateStore::load(const std::string& name) {
    auto file = files_.open(directory_ + "/" + name, env::OpenMode::read);
    if (!file) return file.error();
    const auto size = (*file)->size();
    if (!size) return size.error();
    if (*size > kFileBytesMax) return base::Error{base::Errc::too_large};
    base::Bytes sealed(*size);
    const auto read = (*file)->read_at(0, sealed);
    if (!read) return read.error();
    sealed.resize(*read);
    return sealer_.open(sealed, base::as_bytes(name));
}

std::vector<base::Bytes> StateStore::load_rule_state(std::size_t& unreadable) {
    std::vector<base::Bytes> out;
    const auto names = files_.list(directory_);
    if (!names) return out;
    for (const auto& name : *names) {
        if (!name.starts_with(kRulePrefix) || name.ends_with(".new")) continue;
        if (auto plain = load(name)) {
            out.push_back(std::move(*plain));
        } else {
            ++unreadable;
        }
    }
    return out;
}

LedgerTotals StateStore::load_totals() {
    LedgerTotals out;
    const auto plain = load(std::string(kTotals));
    if (!plain || plain->size() != kTotalsBytes) return out;
    out.readings_in = base::load_le<std::uint64_t>(plain->data());
    out.bytes_in = base::load_le<std::uint64_t>(plain->data() + 8);
    out.bytes_up = base::load_le<std::uint64_t>(plain->data() + 16);
    return out;
}

base::Status StateStore::save_rule_state(unsigned shard, bool first, bool last, base::ByteView slice) {
    if (partial_.size() <= shard) partial_.resize(shard + 1);
    if (first) partial_[shard].clear();
    base::append(partial_[shard], slice);
    if (!last) return {};
    const base::Bytes whole = std::exchange(partial_[shard], {});
    return replace(std::string(kRulePrefix) + std::to_string(shard), whole);
}

base::Status StateStore::save_totals(const LedgerTotals& totals) {
    base::Bytes plain;
    base::append_le(plain, totals.readings_in);
    base::append_le(plain, totals.bytes_in);
    base::append_le(plain, totals.bytes_up);
    return replace(std::string(kTotals), plain);
}

std::string StateStore::owner() {
    const auto plain = load(std::string(kOwner));
    return plain ? std::string(base::as_text(*plain)) : std::string();
}

base::Status StateStore::set_owner(std::string_view id) {
    if (owner() == id) return {};
    return replace(std::string(kOwner), base::as_bytes(id));
}

bool StateStore::take_clean_mark() {
    if (!files_.remove(directory_ + "/" + std::string(kCleanMark))) return false;
    return files_.sync_directory(directory_).has_value();
}

base::Status StateStore::mark_clean() { return replace(std::string(kCleanMark), {}); }

base::Status StateStore::forget_shards_from(unsigned shards) {
    const auto names = files_.list(directory_);
    if (!names) return names.error();
    for (const auto& name : *names) {
        if (!name.starts_with(kRulePrefix)) continue;
        unsigned shard = 0;
        const char* begin = name.data() + kRulePrefix.size();
        const auto parsed = std::from_chars(begin, name.data() + name.size(), shard);
        if (parsed.ec != std::errc() || shard < shards) continue;
        if (auto removed = files_.remove(directory_ + "/" + name); !removed) return removed;
    }
    return files_.sync_directory(directory_);
}

}  // namespace sluice::gateway
