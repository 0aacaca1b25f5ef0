#include "env/sqlite/database.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

namespace sluice::sqlite {

using base::Errc;
using base::Error;

Error error_of(int code, base::Where where) {
    switch (code & 0xff) {  // extended codes keep the primary one in the low byte
        case SQLITE_FULL:
            return {Errc::disk_full, 0, where};
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return {Errc::corrupt, 0, where};
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {Errc::in_use, 0, where};
        case SQLITE_CANTOPEN:
            return {Errc::not_found, 0, where};
        case SQLITE_PERM:
        case SQLITE_AUTH:
        case SQLITE_READONLY:
            return {Errc::permission, 0, where};
        default:
            return {Errc::io, 0, where};
    }
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);  // repeats the error of the last step, which was reported then
}
void Database::Close::operator()(sqlite3* database) const {
    sqlite3_close_v2(database);  // waits for statements that outlive it
}

Statement& Statement::bind(int at, std::int64_t value) {
    sqlite3_bind_int64(statement_.get(), at, value);  // fails only for a parameter that does not exist: the tests walk every statement
    return *this;
}

Statement& Statement::bind(int at, std::string_view text) {
    sqlite3_bind_text64(statement_.get(), at, text.data(), text.size(), SQLITE_STATIC,
                        SQLITE_UTF8);  // as above; sizes are bounded by the wire format
    return *this;
}

Statement& Statement::bind(int at, base::ByteView blob) {
    // A null pointer would bind NULL, not an empty blob. Sizes are bounded by the limits of what is stored.
    sqlite3_bind_blob64(statement_.get(), at, blob.empty() ? "" : static_cast<const void*>(blob.data()), blob.size(), SQLITE_STATIC);
    return *this;
}

base::Result<bool> Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return error_of(code);
}

base::Status Statement::run() {
    const auto row = step();
    reset();
    if (!row) return row.error();
    return {};
}

void Statement::reset() {
    sqlite3_reset(statement_.get());  // repeats the error of the last step, which was reported then
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string_view Statement::text(int column) const {
    const auto* text = sqlite3_column_text(statement_.get(), column);
    if (text == nullptr) return {};
    return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

base::ByteView Statement::blob(int column) const {
    const auto* blob = static_cast<const base::Byte*>(sqlite3_column_blob(statement_.get(), column));
    if (blob == nullptr) return {};
    return {blob, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

base::Result<Database> Database::open(const std::string& path, Mode mode) {
    const int flags = (mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) | SQLITE_OPEN_NOMUTEX;
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
    Database database(raw);
    if (code != SQLITE_OK) return error_of(code);
    sqlite3_busy_timeout(raw, 5000);  // a reader may hold up a checkpoint, never the writer's commit; this is for tools that lock the file
    return database;
}

base::Status Database::execute(const char* sql) {
    const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error_of(code);
    return {};
}

base::Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* raw = nullptr;
    const int code =
        sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    Statement statement(raw);
    if (code != SQLITE_OK) return error_of(code);
    return statement;
}

base::Status Database::still_writable() const {
    const char* name = sqlite3_db_filename(database_.get(), "main");
    if (name == nullptr || *name == '\0') return {};
    // The log: closing the database's own file would let go of SQLite's lock.
    const int fd = ::open((std::string(name) + "-wal").c_str(), O_WRONLY | O_CLOEXEC);
    if (fd >= 0) ::close(fd);
    if (fd < 0) return base::from_errno(errno);
    return {};
}

std::string Database::last_message() const { return sqlite3_errmsg(database_.get()); }
std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(database_.get()); }

}  // namespace sluice::sqlite
