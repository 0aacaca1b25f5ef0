#include "cloud/sqlite_store.hpp"

#include <fmt/format.h>

#include "base/check.hpp"
#include "cloud/schema.hpp"

namespace sluice::cloud {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;

namespace {

// synchronous=FULL: in WAL mode each commit is synced before it returns. The log may grow to 16 MiB before it is copied into the database,
// which keeps that work to large, sequential pieces.
constexpr const char* kPragmas = R"(
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
PRAGMA wal_autocheckpoint=4096;
PRAGMA cache_size=-32768;
PRAGMA temp_store=MEMORY;
)";

Result<std::int64_t> pragma(sqlite::Database& database, std::string_view sql) {
    auto statement = database.prepare(sql);
    if (!statement) return statement.error();
    const auto row = statement->step();
    if (!row) return row.error();
    return *row ? statement->integer(0) : 0;
}

Status make_schema(sqlite::Database& database) {
    const auto version = pragma(database, "PRAGMA user_version");
    if (!version) return version.error();
    if (*version == kSchemaVersion) return {};
    if (*version != 0) return Error{Errc::version};
    const auto objects = pragma(database, "SELECT count(*) FROM sqlite_schema");
    if (!objects) return objects.error();
    if (*objects != 0) return Error{Errc::version};  // somebody else's database
    const auto sql =
        fmt::format("BEGIN IMMEDIATE;{}PRAGMA application_id={};PRAGMA user_version={};COMMIT;", kSchema, kApplicationId, kSchemaVersion);
    return database.execute(sql.c_str());
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) {
    auto database = sqlite::Database::open(path, sqlite::Database::Mode::read_write_create);
    if (!database) return database.error();
    if (auto set = database->execute(kPragmas); !set) return set.error();
    if (auto made = make_schema(*database); !made) return made.error();
    std::unique_ptr<SqliteStore> store(new SqliteStore(std::move(*database)));
    if (auto prepared = store->prepare_all(); !prepared) return prepared.error();
    return store;
}

Status SqliteStore::prepare_all() {
    struct Row {
        sqlite::Statement& statement;
        std::string_view sql;
    };
    const Row rows[] = {
        {find_stream_, "SELECT id, next FROM streams WHERE gateway=?1 AND epoch=?2 AND class=?3"},
        {add_stream_, "INSERT INTO streams(gateway, epoch, class) VALUES(?1, ?2, ?3)"},
        {find_series_, "SELECT id FROM series WHERE stream=?1 AND rule=?2"},
        {add_series_, "INSERT INTO series(stream, rule) VALUES(?1, ?2)"},
        {insert_, "INSERT INTO events(series, seq, ts, data) VALUES(?1, ?2, ?3, ?4)"},
        {gap_, "INSERT INTO gaps(stream, first, last, reason) VALUES(?1, ?2, ?3, ?4)"},
        {advance_, "UPDATE streams SET next=?2 WHERE id=?1"},
        {gateway_,
         "INSERT INTO gateways(id, last_seen, ledger) VALUES(?1, ?2, ?3) ON CONFLICT(id) DO UPDATE SET last_seen=excluded.last_seen, "
         "ledger=CASE WHEN excluded.ledger='' THEN ledger ELSE excluded.ledger END"},
        {count_, "UPDATE series SET events=events+?2 WHERE id=?1"},
        {begin_, "BEGIN IMMEDIATE"},
        {commit_, "COMMIT"},
        {rollback_, "ROLLBACK"},
    };
    for (const auto& row : rows) {
        auto statement = database_.prepare(row.sql);
        if (!statement) return statement.error();
        row.statement = std::move(*statement);
    }
    return {};
}

Status SqliteStore::begin() {
    if (streams_.size() + series_.size() > kRememberedMax) {
        streams_.clear();
        series_.clear();
        last_series_ = nullptr;
        current_ = nullptr;
    }
    return begin_.run();
}

Result<Stream> SqliteStore::stream(const StreamKey& key) {
    key_.clear();
    fmt::format_to(std::back_inserter(key_), "{} {} {}", key.gateway, key.epoch.value(), key.class_name);  // neither name has spaces
    if (const auto known = streams_.find(key_); known != streams_.end()) {
        current_ = &known->second;
        return *current_;
    }

    const auto epoch = static_cast<std::int64_t>(key.epoch.value());
    const auto row = find_stream_.bind(1, key.gateway).bind(2, epoch).bind(3, key.class_name).step();
    Stream found;
    if (row && *row) {
        found.id = StreamId(find_stream_.integer(0));
        found.next = data::Sequence(static_cast<std::uint64_t>(find_stream_.integer(1)));
    }
    find_stream_.reset();
    if (!row) return row.error();
    if (!*row) {
        if (auto added = add_stream_.bind(1, key.gateway).bind(2, epoch).bind(3, key.class_name).run(); !added) return added.error();
        found.id = StreamId(database_.last_insert_id());
    }
    current_ = &streams_.emplace(key_, found).first->second;  // elements of an unordered_map stay where they are
    return found;
}

Result<SqliteStore::Series*> SqliteStore::series(StreamId stream, std::string_view rule) {
    if (last_series_ != nullptr && last_stream_ == stream && last_rule_ == rule) return last_series_;
    key_.clear();
    fmt::format_to(std::back_inserter(key_), "{} {}", stream.value(), rule);
    auto known = series_.find(key_);
    if (known == series_.end()) {
        const auto row = find_series_.bind(1, stream.value()).bind(2, rule).step();
        Series found;
        if (row && *row) found.id = find_series_.integer(0);
        find_series_.reset();
        if (!row) return row.error();
        if (!*row) {
            if (auto added = add_series_.bind(1, stream.value()).bind(2, rule).run(); !added) return added.error();
            found.id = database_.last_insert_id();
        }
        known = series_.emplace(key_, found).first;
    }
    last_series_ = &known->second;
    last_stream_ = stream;
    last_rule_ = rule;
    return last_series_;
}

Status SqliteStore::insert(const EventRow& row) {
    const auto found = series(row.stream, row.rule);
    if (!found) return found.error();
    if ((*found)->added++ == 0) touched_.push_back(*found);
    return insert_.bind(1, (*found)->id)
        .bind(2, static_cast<std::int64_t>(row.sequence.value()))
        .bind(3, row.ts_ms)
        .bind(4, row.json)
        .run();
}

Status SqliteStore::note_gap(StreamId stream, data::Sequence first, data::Sequence last, std::string_view reason) {
    return gap_.bind(1, stream.value())
        .bind(2, static_cast<std::int64_t>(first.value()))
        .bind(3, static_cast<std::int64_t>(last.value()))
        .bind(4, reason)
        .run();
}

Status SqliteStore::advance(StreamId stream, data::Sequence next) {
    base::check(current_ != nullptr && current_->id == stream, "store: not the stream asked for last");
    current_->next = next;
    return advance_.bind(1, stream.value()).bind(2, static_cast<std::int64_t>(next.value())).run();
}

Status SqliteStore::save_gateway(std::string_view gateway, base::WallTime last_seen, std::string_view ledger) {
    return gateway_.bind(1, gateway).bind(2, base::to_ms(last_seen)).bind(3, ledger.empty() ? std::string_view("") : ledger).run();
}

Status SqliteStore::save_counts() {
    for (auto* row : touched_) {
        if (auto saved = count_.bind(1, row->id).bind(2, row->added).run(); !saved) return saved;
        row->added = 0;
    }
    touched_.clear();
    return {};
}

Status SqliteStore::commit() {
    if (auto saved = save_counts(); !saved) return saved;
    if (auto done = commit_.run(); !done) return done;
    return database_.still_writable();
}

void SqliteStore::rollback() {
    streams_.clear();
    series_.clear();
    touched_.clear();
    last_series_ = nullptr;
    current_ = nullptr;
    // Fails where SQLite has rolled back by itself (disk full, for example) or nothing was begun: that is what was wanted.
    (void)rollback_.run();
}

}  // namespace sluice::cloud
