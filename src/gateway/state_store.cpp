#include "gateway/state_store.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/fail_point.hpp"

namespace sluice::gateway {
namespace {

constexpr std::string_view kRulePrefix = "rules-";
constexpr std::string_view kTotals = "ledger";
constexpr std::string_view kCleanMark = "clean";
constexpr std::string_view kOwner = "gateway";
constexpr std::size_t kTotalsBytes = 24;
constexpr std::uint64_t kFileBytesMax = std::uint64_t{2} << 30;
/// OpenSSL seals no more at once.
constexpr std::size_t kPlainBytesMax = (std::size_t{1} << 31) - 4096;

/// "SLCP", version u16, shard u16, shards u16, two zero bytes, time i64, wall clock i64, journal position u64.
constexpr std::size_t kHeadBytes = 36;
constexpr std::string_view kHeadMagic = "SLCP";
constexpr std::uint16_t kHeadVersion = 1;
constexpr std::string_view kOldMagic = "SLRS";  ///< of the rules' own format, which older versions wrote without a head

std::string file_name(rules::Origin origin) { return fmt::format("{}{}-of-{}", kRulePrefix, origin.shard, origin.shards); }

void encode_head(const CheckpointHead& head, base::Bytes& whole) {
    std::copy(kHeadMagic.begin(), kHeadMagic.end(), whole.begin());
    base::store_le(whole.data() + 4, kHeadVersion);
    base::store_le(whole.data() + 6, static_cast<std::uint16_t>(head.origin.shard));
    base::store_le(whole.data() + 8, static_cast<std::uint16_t>(head.origin.shards));
    base::store_le(whole.data() + 12, static_cast<std::uint64_t>(head.at.at.time_since_epoch().count()));
    base::store_le(whole.data() + 20, static_cast<std::uint64_t>(head.at.wall.time_since_epoch().count()));
    base::store_le(whole.data() + 28, head.position);
}

bool decode_head(base::ByteView whole, SavedRules& out) {
    if (base::as_text(whole).starts_with(kOldMagic)) {
        out.state.assign(whole.begin(), whole.end());
        return true;
    }
    if (whole.size() < kHeadBytes || !base::as_text(whole).starts_with(kHeadMagic)) return false;
    if (base::load_le<std::uint16_t>(whole.data() + 4) != kHeadVersion) return false;
    const auto time = [&](std::size_t at) {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(base::load_le<std::uint64_t>(whole.data() + at)));
    };
    CheckpointHead& head = out.head.emplace();
    head.origin = {.shard = base::load_le<std::uint16_t>(whole.data() + 6), .shards = base::load_le<std::uint16_t>(whole.data() + 8)};
    head.at = {base::Monotonic(time(12)), base::WallTime(time(20))};
    head.position = base::load_le<std::uint64_t>(whole.data() + 28);
    out.state.assign(whole.begin() + kHeadBytes, whole.end());
    return head.origin.shard < head.origin.shards;
}

/// Whole sets before others; of whole ones the later first, of others the earlier.
std::pair<bool, std::int64_t> rank(unsigned shards, const std::vector<SavedRules>& set) {
    if (shards == 0) return {true, std::numeric_limits<std::int64_t>::min()};
    const bool whole = set.size() >= shards;
    std::int64_t earliest = std::numeric_limits<std::int64_t>::max();
    for (const SavedRules& each : set) earliest = std::min(earliest, each.head->at.at.time_since_epoch().count());
    return {whole, whole ? earliest : -earliest};
}

}  // namespace

StateStore::StateStore(env::FileSystem& files, identity::DocumentSealer& sealer, std::string directory)
    : files_(files), sealer_(sealer), directory_(std::move(directory)) {}

base::Status StateStore::open() { return files_.make_directory(directory_); }

base::Status StateStore::replace(const std::string& name, base::ByteView plain) {
    if (plain.size() > kPlainBytesMax) return base::Error{base::Errc::too_large};
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
    base::pass(base::FailPoint::state_written);
    if (auto renamed = files_.rename(draft, path); !renamed) return renamed;
    base::pass(base::FailPoint::state_renamed);
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

std::vector<SavedRules> StateStore::load_rule_state(std::size_t& unreadable) {
    std::map<unsigned, std::vector<SavedRules>> sets;  // by number of shards; 0: an older version's files
    const auto names = files_.list(directory_);
    if (!names) return {};
    for (const auto& name : *names) {
        if (!name.starts_with(kRulePrefix) || name.ends_with(".new")) continue;
        const auto plain = load(name);
        SavedRules saved;
        if (!plain || !decode_head(*plain, saved)) {
            ++unreadable;
            continue;
        }
        sets[saved.head ? saved.head->origin.shards : 0].push_back(std::move(saved));
    }
    // A run with another number of shards may have been cut short before each of its shards had saved: then the set before it counts, and
    // the journal since. Of several whole ones the latest; where none is, the first: nothing of the journal has been released then.
    std::vector<SavedRules>* best = nullptr;
    for (auto& [shards, set] : sets) {
        if (best == nullptr || rank(shards, set) > rank(best->front().head ? best->front().head->origin.shards : 0, *best)) best = &set;
    }
    return best == nullptr ? std::vector<SavedRules>() : std::move(*best);
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

void StateStore::add_rule_state(unsigned shard, bool first, base::ByteView slice) {
    if (partial_.size() <= shard) partial_.resize(shard + 1);
    if (first) partial_[shard].assign(kHeadBytes, 0);
    base::append(partial_[shard], slice);
}

base::Result<std::size_t> StateStore::save_rule_state(const CheckpointHead& head) {
    base::Bytes whole = std::exchange(partial_[head.origin.shard], {});
    encode_head(head, whole);
    if (auto done = replace(file_name(head.origin), whole); !done) return done.error();
    return whole.size();
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

base::Result<std::vector<DocumentKey>> StateStore::keys() {
    // What has taken a file's place is read, and after a power cut it could be the one before.
    if (auto synced = files_.sync_directory(directory_); !synced) return synced.error();
    return document_keys(files_, directory_);
}

base::Status StateStore::reseal() {
    for (const std::string_view name : {kTotals, kOwner}) {
        const auto key = document_key(files_, directory_ + "/" + std::string(name));
        if (!key) return key.error();
        if (!*key || **key == sealer_.keys().newest()) continue;
        const auto plain = load(std::string(name));
        if (!plain) continue;  // the next save puts another in its place
        if (auto done = replace(std::string(name), *plain); !done) return done;
    }
    return {};
}

base::Status StateStore::forget_other_shards(unsigned shards) {
    const auto names = files_.list(directory_);
    if (!names) return names.error();
    for (const auto& name : *names) {
        if (!name.starts_with(kRulePrefix)) continue;
        bool ours = false;
        for (unsigned shard = 0; shard < shards && !ours; ++shard) ours = name == file_name({.shard = shard, .shards = shards});
        if (ours) continue;
        if (auto removed = files_.remove(directory_ + "/" + name); !removed) return removed;
    }
    return files_.sync_directory(directory_);
}

}  // namespace sluice::gateway
