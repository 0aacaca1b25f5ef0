// The event store in SQLite: WAL, synchronous=FULL, one writer. Readers use connections of their own (event_query.hpp).
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "cloud/store.hpp"
#include "env/sqlite/database.hpp"

namespace sluice::cloud {

/// One thread. Remembers streams and series between transactions; rollback() forgets them.
class SqliteStore final : public EventStore {
public:
    /// Makes the database if it is missing. Errors: version (made by a newer Sluice), corrupt, permission, not_found (folder), io.
    static base::Result<std::unique_ptr<SqliteStore>> open(const std::string& path);

    base::Status begin() override;
    base::Result<Stream> stream(const StreamKey& key) override;
    base::Status insert(const EventRow& row) override;
    base::Status note_gap(StreamId stream, data::Sequence first, data::Sequence last, std::string_view reason) override;
    base::Status advance(StreamId stream, data::Sequence next) override;
    base::Status save_gateway(std::string_view gateway, base::WallTime last_seen, std::string_view ledger) override;
    base::Status commit() override;
    void rollback() override;

    /// What SQLite says about the last error, for the log.
    [[nodiscard]] std::string last_message() const { return database_.last_message(); }

private:
    struct Series {
        std::int64_t id = 0;
        std::int64_t added = 0;  ///< events in this transaction, not yet in the table's count
    };
    /// Names are remembered with their ids; many gateways times rules, so forgotten together when there are too many.
    static constexpr std::size_t kRememberedMax = 100'000;

    explicit SqliteStore(sqlite::Database database) : database_(std::move(database)) {}
    base::Status prepare_all();
    base::Result<Series*> series(StreamId stream, std::string_view rule);
    base::Status save_counts();

    sqlite::Database database_;
    sqlite::Statement find_stream_, add_stream_, find_series_, add_series_, insert_, gap_, advance_, gateway_, count_, begin_, commit_,
        rollback_;
    std::string key_;  // reused to look names up
    std::unordered_map<std::string, Stream> streams_;
    std::unordered_map<std::string, Series> series_;
    Stream* current_ = nullptr;      // what stream() returned last
    std::vector<Series*> touched_;   // those with added events
    Series* last_series_ = nullptr;  // rules come in runs
    StreamId last_stream_;
    std::string last_rule_;
};

}  // namespace sluice::cloud
