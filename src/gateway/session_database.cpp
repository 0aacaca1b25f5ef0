#include "gateway/session_database.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace sluice::gateway {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;

namespace {

// locking_mode before journal_mode: the write-ahead log then needs no file of shared memory, which a full disk could refuse, and no other
// process can open the database. synchronous=FULL: each commit is synced before it returns.
constexpr const char* kPragmas = R"(
PRAGMA locking_mode=EXCLUSIVE;
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
PRAGMA journal_size_limit=4194304;
PRAGMA cache_size=-8192;
PRAGMA temp_store=MEMORY;
)";
// With row ids: the tree of a table without them would put values of more than a quarter of a page into pages of their own.
constexpr const char* kSchema = R"(
BEGIN IMMEDIATE;
CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE epochs(id INTEGER PRIMARY KEY, salt BLOB NOT NULL, key INTEGER NOT NULL DEFAULT 1);
CREATE TABLE rows(session INTEGER NOT NULL, kind INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
                  PRIMARY KEY(session, kind, key));
PRAGMA application_id=1397510995;
PRAGMA user_version=2;
COMMIT;
)";
constexpr std::int64_t kSchemaVersion = 2;
/// Version 1 knew one master key: number 1.
constexpr std::int64_t kOneKeyVersion = 1;
constexpr const char* kMigration = R"(
BEGIN IMMEDIATE;
ALTER TABLE epochs ADD COLUMN key INTEGER NOT NULL DEFAULT 1;
PRAGMA user_version=2;
COMMIT;
)";

constexpr std::int64_t kAgeKind = 0;  // beside those of hub::RowKind
constexpr base::Byte kAgeVersion = 1;
constexpr std::size_t kAgeBytes = 1 + 8 + 8 + 1;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kNameBytes = 16;     // of a keyed hash: among a million names two meet once in 10^26 databases
constexpr std::size_t kSealBytes = 4 + 8;  // epoch and nonce stand before what is sealed
constexpr std::chrono::seconds kAgeWithRowsEvery{1};

base::Bytes associated(std::int64_t session, std::int64_t kind, base::ByteView key) {
    base::Bytes out;
    base::append_le(out, static_cast<std::uint64_t>(session));
    out.push_back(static_cast<base::Byte>(kind));
    base::append(out, key);
    return out;
}

/// Big-endian, so that rows lie in the order of their numbers.
base::Bytes number_key(std::uint64_t number) {
    base::Bytes out;
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<base::Byte>(number >> shift));
    return out;
}

std::uint64_t key_number(base::ByteView key) {
    std::uint64_t out = 0;
    for (const auto byte : key) out = out << 8 | byte;
    return out;
}

Result<std::int64_t> pragma(sqlite::Database& database, std::string_view sql) {
    auto statement = database.prepare(sql);
    if (!statement) return statement.error();
    const auto row = statement->step();
    if (!row) return row.error();
    return *row ? statement->integer(0) : 0;
}

/// A number of `meta`; 0: there is none.
Result<std::uint16_t> meta_number(sqlite::Database& database, std::string_view name) {
    auto find = database.prepare("SELECT value FROM meta WHERE name=?1");
    if (!find) return find.error();
    const auto row = find->bind(1, name).step();
    if (!row) return row.error();
    return *row && find->blob(0).size() == sizeof(std::uint16_t) ? base::load_le<std::uint16_t>(find->blob(0).data()) : std::uint16_t{0};
}

/// How long the gateway was off, as far as the clocks at both ends can be believed.
hub::Age downtime(std::int64_t stopped_ms, bool stopped_synchronised, const env::WallReading& now) {
    const std::int64_t passed = base::to_ms(now.time) - stopped_ms;
    if (passed <= 0) return 0;
    const std::int64_t unsure = std::chrono::milliseconds(SessionDatabase::kUnsureDowntimeMax).count();
    return static_cast<hub::Age>(stopped_synchronised && now.synchronised ? passed : std::min(passed, unsure));
}

}  // namespace

SessionDatabase::SessionDatabase(World world, const identity::KeyRing& keys, std::string path)
    : world_(world), keys_(keys), names_(keys.newest_key().derive(identity::kSessionNamesPurpose)), path_(std::move(path)) {}

Result<std::unique_ptr<SessionDatabase>> SessionDatabase::open(World world, const identity::KeyRing& keys, const std::string& directory,
                                                               Loaded& loaded) {
    if (auto made = world.files.make_directory(directory); !made) return made.error();
    const std::string path = directory + "/" + std::string(kFile);
    std::vector<Row> rows;
    auto opened = open_file(world, keys, path, rows);
    if (!opened && opened.error().code == Errc::corrupt) {
        for (const auto* suffix : {"", "-wal"})
            if (auto moved = world.files.rename(path + suffix, path + ".damaged" + suffix); !moved && moved.error().code != Errc::not_found)
                return moved.error();
        std::vector<Row> none;
        opened = open_file(world, keys, path, none);
        if (!opened) return opened;
        loaded.moved_aside = true;
        if (auto rescued = (*opened)->rescue(rows); !rescued) return rescued.error();
    }
    if (!opened) return opened;
    if (auto synced = world.files.sync_directory(directory); !synced) return synced.error();
    (*opened)->take_rows(std::move(rows), loaded);
    return opened;
}

Result<std::unique_ptr<SessionDatabase>> SessionDatabase::open_file(World world, const identity::KeyRing& keys, const std::string& path,
                                                                    std::vector<Row>& rows) {
    std::unique_ptr<SessionDatabase> out(new SessionDatabase(world, keys, path));
    if (auto done = out->open_database(); !done) return done.error();
    if (auto done = out->load_rows(rows); !done) return done.error();
    return out;
}

Status SessionDatabase::open_database() {
    // For us alone, as every file of ours; SQLite gives the log the same mode.
    if (auto made = world_.files.open(path_, env::OpenMode::create_new); !made && made.error().code != Errc::exists) return made.error();
    auto database = sqlite::Database::open(path_, sqlite::Database::Mode::read_write_create);
    if (!database) return database.error();
    database_.emplace(std::move(*database));
    if (auto done = prepare(); !done) return done;
    if (auto done = load_epochs(); !done) return done;
    look_for_older_keys();
    return {};
}

/// What is in the file is taken to be what was written last; of a write that failed it may have everything or nothing, and both are fine:
/// the same rows are written again. They are sealed in a new epoch, since nobody knows whether the old one's row is there.
Status SessionDatabase::reopen() {
    for (sqlite::Statement* statement : {&begin_, &commit_, &rollback_, &put_, &remove_, &end_, &add_epoch_, &drop_epoch_, &scan_})
        *statement = {};
    database_.reset();  // before the file is opened again: it is locked
    if (auto opened = open_database(); !opened) return opened;
    ++epoch_;
    epoch_begun_ = false;
    for (const auto& [id, epoch] : epochs_) epochs_used_.insert(id);  // which of them rows need is found out at the next start
    in_doubt_ = false;
    return {};
}

Status SessionDatabase::prepare() {
    if (auto set = database_->execute(kPragmas); !set) return set;
    const auto version = pragma(*database_, "PRAGMA user_version");
    if (!version) return version.error();
    if (*version == 0) {
        const auto objects = pragma(*database_, "SELECT count(*) FROM sqlite_schema");
        if (!objects) return objects.error();
        if (*objects != 0) return Error{Errc::version};  // somebody else's database
        if (auto made = database_->execute(kSchema); !made) return made;
    } else if (*version != kSchemaVersion && *version != kOneKeyVersion) {
        return Error{Errc::version};
    }
    if (auto checked = check_key(); !checked) return checked;
    if (*version == kOneKeyVersion)
        if (auto done = database_->execute(kMigration); !done) return done;
    struct Prepared {
        sqlite::Statement& statement;
        std::string_view sql;
    };
    const Prepared all[] = {
        {begin_, "BEGIN IMMEDIATE"},
        {commit_, "COMMIT"},
        {rollback_, "ROLLBACK"},
        {put_, "INSERT OR REPLACE INTO rows(session, kind, key, value) VALUES(?1, ?2, ?3, ?4)"},
        {remove_, "DELETE FROM rows WHERE session=?1 AND kind=?2 AND key=?3"},
        {end_, "DELETE FROM rows WHERE session=?1"},
        {add_epoch_, "INSERT INTO epochs(id, salt, key) VALUES(?1, ?2, ?3)"},
        {drop_epoch_, "DELETE FROM epochs WHERE id=?1"},
        {scan_, "SELECT rowid, session, kind, key, value FROM rows WHERE rowid>?1 ORDER BY rowid LIMIT ?2"},
    };
    for (const auto& [statement, sql] : all) {
        auto prepared = database_->prepare(sql);
        if (!prepared) return prepared.error();
        statement = std::move(*prepared);
    }
    return {};
}

/// Without the key that it was used with last every row would be found broken: refused before that.
Status SessionDatabase::check_key() {
    const auto named = meta_number(*database_, "key");
    if (!named) return named.error();
    named_key_ = *named != 0 ? static_cast<identity::KeyNumber>(*named) : identity::KeyNumber{1};
    auto find = database_->prepare("SELECT value FROM meta WHERE name='check'");
    if (!find) return find.error();
    const auto row = find->step();
    if (!row) return row.error();
    if (!*row) {
        find->reset();
        return name_key();
    }
    const identity::MasterKey* const master = keys_.find(named_key_);
    const bool same = master != nullptr && std::ranges::equal(find->blob(0), master->derive(identity::kSessionsCheckPurpose).bytes());
    return same ? Status{} : Status{Error{Errc::wrong_key}};
}

/// Writes which key it is used with.
Status SessionDatabase::name_key() {
    const identity::Secret check = keys_.newest_key().derive(identity::kSessionsCheckPurpose);
    base::Bytes number;
    base::append_le(number, keys_.newest());
    auto put = database_->prepare("INSERT OR REPLACE INTO meta(name, value) VALUES('check', ?1), ('key', ?2)");
    if (!put) return put.error();
    if (auto done = put->bind(1, base::ByteView(check.bytes())).bind(2, base::ByteView(number)).run(); !done) return done;
    named_key_ = keys_.newest();
    return {};
}

Status SessionDatabase::load_epochs() {
    auto all = database_->prepare("SELECT id, salt, key FROM epochs");
    if (!all) return all.error();
    for (;;) {
        const auto row = all->step();
        if (!row) return row.error();
        if (!*row) return {};
        const auto id = static_cast<std::uint32_t>(all->integer(0));
        const auto number = static_cast<identity::KeyNumber>(all->integer(2));
        epoch_ = std::max(epoch_, id + 1);
        if (const identity::MasterKey* const master = keys_.find(number); master != nullptr) {
            epochs_.insert_or_assign(id, Epoch{number, identity::Aead(master->derive(identity::kSessionsPurpose, all->blob(1)))});
        } else {
            locked_epochs_.insert_or_assign(id, number);
        }
    }
}

Status SessionDatabase::load_rows(std::vector<Row>& rows) {
    auto all = database_->prepare("SELECT session, kind, key, value FROM rows");
    if (!all) return all.error();
    for (;;) {
        const auto found = all->step();
        if (!found) return found.error();
        if (!*found) return {};
        const auto key = all->blob(2);
        Row row{.session = all->integer(0), .kind = all->integer(1), .key = {key.begin(), key.end()}, .body = {}};
        row.readable = unseal(row, all->blob(3));
        rows.push_back(std::move(row));
    }
}

bool SessionDatabase::unseal(Row& row, base::ByteView value) {
    if (value.size() < kSealBytes + identity::kTagBytes) return false;
    const auto id = base::load_le<std::uint32_t>(value.data());
    const auto epoch = epochs_.find(id);
    if (epoch == epochs_.end()) {
        if (const auto locked = locked_epochs_.find(id); locked != locked_epochs_.end()) ++locked_rows_[locked->second];
        return false;
    }
    const auto nonce = base::load_le<std::uint64_t>(value.data() + 4);
    const auto sealed = value.subspan(kSealBytes);
    row.body.resize(sealed.size() - identity::kTagBytes);
    if (!epoch->second.aead.open(nonce, associated(row.session, row.kind, row.key), sealed, row.body.data())) return false;
    epochs_used_.insert(id);
    return true;
}

Status SessionDatabase::rescue(const std::vector<Row>& rows) {
    return transaction([&]() -> Status {
        for (const Row& row : rows)
            if (row.readable)
                if (auto done = put(row.session, row.kind, newest_name(row).value_or(row.key), row.body); !done) return done;
        return {};
    });
}

void SessionDatabase::take_rows(std::vector<Row>&& rows, Loaded& loaded) {
    const env::WallReading wall = world_.clock.wall();
    hub::Age away = 0;
    bool age_known = false;
    for (Row& row : rows) {
        holds_rows_ = true;
        const auto id = static_cast<hub::KeptId>(row.session);
        const auto kind = static_cast<hub::RowKind>(row.kind);
        if (!row.readable) {
            if (row.kind != kAgeKind) loaded.saved.add_unreadable(kind, id);
            row.body.clear();
            unreadable_.push_back(std::move(row));
        } else if (row.kind == kAgeKind) {
            if (row.body.size() != kAgeBytes || row.body[0] != kAgeVersion) continue;
            age_known = true;
            loaded.stopped = base::load_le<std::uint64_t>(row.body.data() + 1);
            const auto stopped_ms = static_cast<std::int64_t>(base::load_le<std::uint64_t>(row.body.data() + 9));
            away = downtime(stopped_ms, row.body[17] != 0, wall);
        } else {
            (void)loaded.saved.add(kind, id, key_number(row.key.size() == 8 ? base::ByteView(row.key) : base::ByteView{}),
                                   std::move(row.body));  // what it could not read it has counted
        }
    }
    loaded.saved.finish();
    // Without the row that says it: what the sessions know of it, so that none ends too early.
    if (!age_known) loaded.stopped = loaded.saved.least_age();
    clock_ = {world_.clock.now(), loaded.stopped + away};
    loaded.clock = clock_;
    for (const auto& [key, count] : locked_rows_) loaded.locked.push_back({key, count, 0});
}

// Writing

Status SessionDatabase::transaction(const std::function<Status()>& write) {
    if (in_doubt_)
        if (auto opened = reopen(); !opened) return opened;
    Status done = attempt(write);
    in_doubt_ = !done && done.error().code != Errc::disk_full;
    return done;
}

Status SessionDatabase::attempt(const std::function<Status()>& write) {
    if (auto begun = begin_.run(); !begun) return begun;
    const bool new_epoch = !epoch_begun_;
    const identity::KeyNumber named_before = named_key_;
    Status done = begin_epoch();
    if (done) done = write();
    if (done) done = commit_.run();
    if (done) done = database_->still_writable();
    if (done) {
        holds_rows_ = true;
        epochs_used_.clear();
        locked_epochs_.clear();
        unreadable_.clear();
        return {};
    }
    if (new_epoch) {
        epoch_begun_ = false;
        named_key_ = named_before;
    }
    (void)rollback_.run();  // fails if SQLite has rolled back by itself; the first error is the one that matters
    // What the log holds goes into the database, and the log's space back to the disk: it may be what is missing.
    if (done.error().code == Errc::disk_full) (void)database_->execute("PRAGMA wal_checkpoint(TRUNCATE)");
    return done;
}

Status SessionDatabase::write(const SessionChanges& changes) {
    const bool with_age = world_.clock.now() - age_written_at_ >= kAgeWithRowsEvery;
    auto done = transaction([&]() -> Status {
        if (auto rows = write_rows(changes); !rows) return rows;
        return with_age ? put_age() : Status{};
    });
    if (done && with_age) age_written_at_ = world_.clock.now();
    return done;
}

Status SessionDatabase::write_age() {
    if (!holds_rows_) return {};
    auto done = transaction([this] { return put_age(); });
    if (done) age_written_at_ = world_.clock.now();
    return done;
}

Status SessionDatabase::write_rows(const SessionChanges& changes) {
    for (const auto& [id, session] : changes.sessions()) {
        const auto at = static_cast<std::int64_t>(id);
        if (session.ended)
            if (auto done = end_.bind(1, at).run(); !done) return done;
        for (const auto& [place, row] : session.rows) {
            const base::Bytes key = stored_key(names_, id, place);
            if (auto done = remove_older_names(id, place); !done) return done;
            const auto kind = static_cast<std::int64_t>(place.kind);
            if (row.removed) {
                if (auto done = remove(at, kind, key); !done) return done;
                continue;
            }
            plain_ = row.body;
            if (row.message) base::append(plain_, *row.message);
            if (auto done = put(at, kind, key, plain_); !done) return done;
        }
    }
    return {};
}

/// Each run seals under a key of its own, so that its nonces can be a count. Keys that no row needs any more are forgotten.
Status SessionDatabase::begin_epoch() {
    if (epoch_begun_) return {};
    base::Byte salt[kSaltBytes];
    world_.entropy.fill(salt);
    if (auto added = add_epoch_.bind(1, std::int64_t{epoch_}).bind(2, base::ByteView(salt)).bind(3, std::int64_t{keys_.newest()}).run();
        !added)
        return added;
    if (named_key_ != keys_.newest())
        if (auto named = name_key(); !named) return named;
    for (const auto& [id, key] : locked_epochs_)
        if (auto dropped = drop_epoch_.bind(1, std::int64_t{id}).run(); !dropped) return dropped;
    for (const auto& [id, epoch] : epochs_)
        if (id != epoch_ && !epochs_used_.contains(id))
            if (auto dropped = drop_epoch_.bind(1, std::int64_t{id}).run(); !dropped) return dropped;
    for (const Row& row : unreadable_)
        if (auto removed = remove(row.session, row.kind, row.key); !removed) return removed;
    epochs_.insert_or_assign(epoch_, Epoch{keys_.newest(), identity::Aead(keys_.newest_key().derive(identity::kSessionsPurpose, salt))});
    epoch_begun_ = true;
    return {};
}

Status SessionDatabase::put(std::int64_t session, std::int64_t kind, base::ByteView key, base::ByteView body) {
    sealed_.resize(kSealBytes + body.size() + identity::kTagBytes);
    base::store_le(sealed_.data(), epoch_);
    base::store_le(sealed_.data() + 4, ++last_nonce_);
    epochs_.at(epoch_).aead.seal(last_nonce_, associated(session, kind, key), body, sealed_.data() + kSealBytes);
    ++rows_written_;
    return put_.bind(1, session).bind(2, kind).bind(3, key).bind(4, base::ByteView(sealed_)).run();
}

Status SessionDatabase::put_age() {
    const env::WallReading wall = world_.clock.wall();
    plain_.clear();
    plain_.push_back(kAgeVersion);
    base::append_le(plain_, clock_.age_of(world_.clock.now()));
    base::append_le(plain_, static_cast<std::uint64_t>(base::to_ms(wall.time)));
    plain_.push_back(wall.synchronised ? 1 : 0);
    return put(0, kAgeKind, {}, plain_);
}

Status SessionDatabase::remove(std::int64_t session, std::int64_t kind, base::ByteView key) {
    ++rows_removed_;
    return remove_.bind(1, session).bind(2, kind).bind(3, key).run();
}

/// Names are stored as keyed hashes: of a subscription with its session, so that nobody sees who wants the same.
base::Bytes SessionDatabase::stored_key(const identity::Secret& names, std::uint64_t session, const SessionChanges::Place& place) {
    if (place.kind == hub::RowKind::session) return {};
    if (place.kind == hub::RowKind::delivery || place.kind == hub::RowKind::inflight) return number_key(place.number);
    base::Bytes name;
    base::append_le(name, session);
    base::append(name, place.key);
    const auto digest = identity::keyed_hash(names, name);
    return {digest.begin(), digest.begin() + kNameBytes};
}

}  // namespace sluice::gateway
