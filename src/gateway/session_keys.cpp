// Sessions under another master key: rows are sealed again in small steps, and stored under other names.
#include <algorithm>
#include <map>

#include "flow/hub/rows.hpp"
#include "gateway/session_database.hpp"

namespace sluice::gateway {
namespace {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;

/// Of one transaction: a few milliseconds, with its sync.
constexpr std::int64_t kRowsMax = 64;
constexpr std::size_t kBytesMax = 64 << 10;
constexpr std::size_t kEpochBytes = 4;

bool is_named(hub::RowKind kind) { return kind == hub::RowKind::subscription || kind == hub::RowKind::retained; }

/// The place of a row whose key is a name. None: its body is not valid.
std::optional<SessionChanges::Place> place_of(hub::RowKind kind, base::ByteView body) {
    if (kind == hub::RowKind::subscription) {
        const auto row = hub::read_subscription_row(body);
        if (!row) return std::nullopt;
        return SessionChanges::Place{.kind = kind, .key = std::string(row->group) + "/" + std::string(row->filter)};
    }
    const auto row = hub::read_message_row(body);
    if (!row) return std::nullopt;
    return SessionChanges::Place{.kind = kind, .key = std::string(row->topic)};
}

/// A gateway has the file to itself for as long as it runs; others lock it for moments.
Result<sqlite::Database> open_to_look(const std::string& directory) {
    auto database = sqlite::Database::open(directory + "/" + std::string(SessionDatabase::kFile), sqlite::Database::Mode::read_only);
    if (!database) return database;
    if (auto set = database->execute("PRAGMA busy_timeout=100"); !set) return set.error();
    return database;
}

}  // namespace

void SessionDatabase::use(const identity::KeyRing& keys) {
    const bool newer = keys.newest() != keys_.newest();
    keys_ = keys;
    if (!newer) return;
    names_ = keys_.newest_key().derive(identity::kSessionNamesPurpose);
    // Rows need the epochs that there are until they are sealed again.
    for (const auto& [id, epoch] : epochs_) epochs_used_.insert(id);
    ++epoch_;
    epoch_begun_ = false;
    look_for_older_keys();
}

void SessionDatabase::look_for_older_keys() {
    const auto older = [this](const auto& epoch) { return epoch.second.key != keys_.newest(); };
    pass_ = {.until = INT64_MAX, .under_way = named_key_ != keys_.newest() || std::any_of(epochs_.begin(), epochs_.end(), older)};
    older_names_.clear();
    if (!pass_.under_way) return;
    for (const identity::KeyNumber number : keys_.numbers())
        if (number != keys_.newest()) older_names_.push_back(keys_.find(number)->derive(identity::kSessionNamesPurpose));
    if (!database_) return;  // it will be opened again, and this is done then
    auto rows = database_->prepare("SELECT count(*), max(rowid) FROM rows");
    if (!rows) return;
    if (const auto row = rows->step(); !row || !*row) return;
    pass_.left = static_cast<std::uint64_t>(rows->integer(0));
    pass_.until = rows->integer(1);
}

std::vector<HeldKey> SessionDatabase::held() const {
    if (!pass_.under_way) return {};
    std::map<identity::KeyNumber, HeldKey> by_key;
    by_key[named_key_].key = named_key_;
    for (const auto& [id, epoch] : epochs_) by_key[epoch.key].key = epoch.key;
    by_key.erase(keys_.newest());
    std::vector<HeldKey> out;
    for (auto& [number, held] : by_key) {
        held.items = pass_.left;
        out.push_back(held);
    }
    return out;
}

Result<bool> SessionDatabase::reseal() {
    if (!pass_.under_way) return false;
    const bool held_rows = holds_rows_;
    Pass next;
    // It begins with the pass as it stands then: the file may just have been opened anew.
    if (auto done = transaction([&] { return reseal_rows(next = pass_); }); !done) return done.error();
    holds_rows_ = held_rows;
    pass_ = next;
    if (pass_.under_way) return true;
    std::erase_if(epochs_, [this](const auto& epoch) { return epoch.second.key != keys_.newest(); });
    older_names_.clear();
    return false;
}

/// In the order of row ids: what is written meanwhile is under the newest key, so one pass finds all.
Status SessionDatabase::reseal_rows(Pass& pass) {
    struct Found {
        Row row;
        base::Bytes value;
    };
    std::vector<Found> found;
    bool at_end = false;
    std::size_t bytes = 0;
    scan_.bind(1, pass.after).bind(2, kRowsMax);
    while (bytes < kBytesMax) {
        const auto more = scan_.step();
        if (!more) {
            scan_.reset();
            return more.error();
        }
        if (!*more) {
            at_end = found.size() < static_cast<std::size_t>(kRowsMax);
            break;
        }
        at_end = scan_.integer(0) > pass.until;
        if (at_end) break;
        pass.after = scan_.integer(0);
        const auto key = scan_.blob(3);
        const auto value = scan_.blob(4);
        bytes += value.size();
        found.push_back({{.session = scan_.integer(1), .kind = scan_.integer(2), .key = {key.begin(), key.end()}, .body = {}},
                         {value.begin(), value.end()}});
    }
    scan_.reset();
    for (auto& [row, value] : found)
        if (auto done = reseal_row(row, value); !done) return done;
    if (at_end) {
        auto drop = database_->prepare("DELETE FROM epochs WHERE key<>?1");
        if (!drop) return drop.error();
        if (auto done = drop->bind(1, std::int64_t{keys_.newest()}).run(); !done) return done;
    }
    pass.under_way = !at_end;
    pass.left -= std::min<std::uint64_t>(pass.left, found.size());
    return {};
}

/// One that does not open is left as it is: the next start finds and counts it.
Status SessionDatabase::reseal_row(Row& row, base::ByteView value) {
    if (value.size() < kEpochBytes) return {};
    const auto epoch = epochs_.find(base::load_le<std::uint32_t>(value.data()));
    if (epoch == epochs_.end() || epoch->second.key == keys_.newest() || !unseal(row, value)) return {};
    const auto key = newest_name(row);
    if (!key) return {};
    if (*key != row.key) {
        if (auto removed = remove_.bind(1, row.session).bind(2, row.kind).bind(3, base::ByteView(row.key)).run(); !removed) return removed;
    }
    return put(row.session, row.kind, *key, row.body);
}

std::optional<base::Bytes> SessionDatabase::newest_name(const Row& row) const {
    const auto kind = static_cast<hub::RowKind>(row.kind);
    if (!is_named(kind)) return row.key;
    const auto place = place_of(kind, row.body);
    if (!place) return std::nullopt;
    return stored_key(names_, static_cast<std::uint64_t>(row.session), *place);
}

/// The row that another takes the place of, or that is to go, may still be stored under an older name.
Status SessionDatabase::remove_older_names(std::uint64_t session, const SessionChanges::Place& place) {
    if (!is_named(place.kind)) return {};
    for (const identity::Secret& names : older_names_) {
        const base::Bytes key = stored_key(names, session, place);
        const auto at = static_cast<std::int64_t>(session);
        const auto kind = static_cast<std::int64_t>(place.kind);
        if (auto removed = remove_.bind(1, at).bind(2, kind).bind(3, base::ByteView(key)).run(); !removed) return removed;
    }
    return {};
}

Result<std::vector<HeldKey>> SessionDatabase::scan_keys(const std::string& directory) {
    auto database = open_to_look(directory);
    if (!database) return database.error();
    std::map<identity::KeyNumber, HeldKey> by_key;
    auto version = database->prepare("PRAGMA user_version");
    if (!version) return version.error();
    if (const auto row = version->step(); !row || !*row) return row ? Error{Errc::corrupt} : row.error();
    const bool numbered = version->integer(0) > 1;
    std::map<std::uint32_t, identity::KeyNumber> epochs;
    auto all = database->prepare(numbered ? "SELECT id, key FROM epochs" : "SELECT id, 1 FROM epochs");
    if (!all) return all.error();
    for (;;) {
        const auto row = all->step();
        if (!row) return row.error();
        if (!*row) break;
        epochs[static_cast<std::uint32_t>(all->integer(0))] = static_cast<identity::KeyNumber>(all->integer(1));
    }
    auto values = database->prepare("SELECT substr(value, 1, 4), length(value) FROM rows");
    if (!values) return values.error();
    for (;;) {
        const auto row = values->step();
        if (!row) return row.error();
        if (!*row) break;
        const auto id = values->blob(0);
        if (id.size() != kEpochBytes) continue;
        const auto epoch = epochs.find(base::load_le<std::uint32_t>(id.data()));
        if (epoch == epochs.end()) continue;
        HeldKey& held = by_key[epoch->second];
        held.key = epoch->second;
        ++held.items;
        held.bytes += static_cast<std::uint64_t>(values->integer(1));
    }
    std::vector<HeldKey> out;
    out.reserve(by_key.size());
    for (const auto& [number, held] : by_key) out.push_back(held);
    return out;
}

bool SessionDatabase::NamedKey::is(const identity::MasterKey& master) const {
    return check.empty() || std::ranges::equal(check, master.derive(identity::kSessionsCheckPurpose).bytes());
}

Result<SessionDatabase::NamedKey> SessionDatabase::scan_named_key(const std::string& directory) {
    auto database = open_to_look(directory);
    if (!database) return database.error();
    auto all = database->prepare("SELECT name, value FROM meta WHERE name IN ('key', 'check')");
    if (!all) return all.error();
    NamedKey out;
    for (;;) {
        const auto row = all->step();
        if (!row) return row.error();
        if (!*row) return out;
        const auto value = all->blob(1);
        if (all->text(0) == "check")
            out.check.assign(value.begin(), value.end());
        else if (value.size() == sizeof(identity::KeyNumber))
            out.key = base::load_le<identity::KeyNumber>(value.data());
    }
}

}  // namespace sluice::gateway
