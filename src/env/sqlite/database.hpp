// SQLite with results instead of codes: a database, its statements. No more than the stores need.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::sqlite {

/// A prepared statement, used again and again. Text and blobs that are bound must stay until reset(). One thread.
class Statement {
public:
    Statement() = default;
    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

    /// Parameters count from 1.
    Statement& bind(int at, std::int64_t value);
    Statement& bind(int at, std::string_view text);
    Statement& bind(int at, base::ByteView blob);
    /// True: a row; false: done. Errors: see error_of().
    base::Result<bool> step();
    /// Runs a statement without rows, then resets it.
    base::Status run();
    void reset();

    /// Columns count from 0; text and blobs are valid until the next step() or reset().
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::string_view text(int column) const;
    [[nodiscard]] base::ByteView blob(int column) const;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
public:
    enum class Mode : std::uint8_t { read_write_create, read_only };
    /// Errors: not_found, permission, io, corrupt (not a database).
    static base::Result<Database> open(const std::string& path, Mode mode);

    base::Status execute(const char* sql);
    base::Result<Statement> prepare(std::string_view sql);
    /// Ask after each commit that somebody relies on: on a file system that an error has just made read-only ext4 reports that a sync has
    /// succeeded and syncs nothing; then the log cannot be opened for writing. Nor can it when the disk was taken away. Errors: not_found,
    /// permission, io. In WAL mode, for a file.
    [[nodiscard]] base::Status still_writable() const;
    /// What SQLite says about the last error, for the log.
    [[nodiscard]] std::string last_message() const;
    [[nodiscard]] std::int64_t last_insert_id() const;

private:
    struct Close {
        void operator()(sqlite3* database) const;
    };
    explicit Database(sqlite3* database) : database_(database) {}
    std::unique_ptr<sqlite3, Close> database_;
};

/// SQLITE_FULL is disk_full; CORRUPT, NOTADB are corrupt; BUSY, LOCKED in_use; CANTOPEN not_found; PERM, AUTH, READONLY permission; all
/// else io.
[[nodiscard]] base::Error error_of(int code, base::Where where = base::Where::here());

}  // namespace sluice::sqlite
