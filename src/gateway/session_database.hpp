// Sessions and retained messages on disk: sealed rows in SQLite. docs/formats/sessions.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "env/clock.hpp"
#include "env/entropy.hpp"
#include "env/file_system.hpp"
#include "env/sqlite/database.hpp"
#include "flow/hub/saved_state.hpp"
#include "gateway/session_changes.hpp"
#include "manage/identity/aead.hpp"
#include "manage/identity/master_key.hpp"

namespace sluice::gateway {

/// One thread (the session thread; the wiring before it starts). Blocks on the disk.
class SessionDatabase {
public:
    static constexpr std::string_view kFile = "sessions.db";
    /// While a clock that nobody has set says how long the gateway was off, no more than this is believed.
    static constexpr std::chrono::hours kUnsureDowntimeMax{1};
    /// write_age() is to be called this often: after a crash, connections ended at most so much after the age that was written last.
    static constexpr std::chrono::seconds kAgeEvery{60};

    struct World {
        env::FileSystem& files;
        const env::Clock& clock;
        env::Entropy& entropy;
    };
    struct Loaded {
        hub::SavedState saved;
        hub::Age stopped = 1;      ///< age at which the last run wrote last
        hub::AgeClock clock;       ///< this run's
        bool moved_aside = false;  ///< the file was damaged; what could be read of it is in a new one
    };

    /// Opens `<directory>/sessions.db`, or makes it, and reads all of it. A damaged file is put aside as `sessions.db.damaged` (in the
    /// place of an earlier one) and what could be read goes into a new one. Errors: wrong_key, version, permission, in_use, disk_full, io.
    static base::Result<std::unique_ptr<SessionDatabase>> open(World world, const identity::MasterKey& key, const std::string& directory,
                                                               Loaded& loaded);

    /// All of it or nothing, durable when it returns. The gateway's age is written with it once a second.
    /// After a failure that is not a full disk the file is opened anew by its name: the disk may have come back, or another is in its
    /// place. Errors: disk_full, io, corrupt, and those of open(); the same changes may be written again.
    base::Status write(const SessionChanges& changes);
    /// Only the age. Nothing is written while the database has never held a row.
    base::Status write_age();

    [[nodiscard]] std::uint64_t rows_written() const { return rows_written_; }
    [[nodiscard]] std::uint64_t rows_removed() const { return rows_removed_; }

private:
    struct Row {
        std::int64_t session = 0;
        std::int64_t kind = 0;
        base::Bytes key;
        base::Bytes body;
        bool readable = false;
    };
    SessionDatabase(World world, const identity::MasterKey& key, std::string path);
    /// Rows come to `rows` as far as they were read, with errors, too.
    static base::Result<std::unique_ptr<SessionDatabase>> open_file(World world, const identity::MasterKey& key, const std::string& path,
                                                                    std::vector<Row>& rows);
    base::Status open_database();
    base::Status reopen();
    base::Status prepare();
    base::Status check_key();
    base::Status load_epochs();
    base::Status load_rows(std::vector<Row>& rows);
    [[nodiscard]] bool unseal(Row& row, base::ByteView value);
    base::Status rescue(const std::vector<Row>& rows);
    void take_rows(std::vector<Row>&& rows, Loaded& loaded);

    template <class Write>
    base::Status transaction(Write&& write);
    template <class Write>
    base::Status attempt(Write&& write);
    base::Status still_writable();
    base::Status write_rows(const SessionChanges& changes);
    base::Status begin_epoch();
    base::Status put(std::int64_t session, std::int64_t kind, base::ByteView key, base::ByteView body);
    base::Status put_age();
    base::Status remove(std::int64_t session, std::int64_t kind, base::ByteView key);
    [[nodiscard]] base::Bytes stored_key(std::uint64_t session, const SessionChanges::Place& place) const;

    World world_;
    identity::MasterKey master_;
    identity::Secret names_;
    std::string path_;
    std::optional<sqlite::Database> database_;  // none: could not be opened again, will be tried
    sqlite::Statement begin_, commit_, rollback_, put_, remove_, end_, add_epoch_, drop_epoch_;
    std::map<std::uint32_t, identity::Aead> epochs_;
    std::set<std::uint32_t> epochs_used_;
    std::uint32_t epoch_ = 1;  // of this run
    bool epoch_begun_ = false;
    std::uint64_t last_nonce_ = 0;
    bool holds_rows_ = false;
    bool in_doubt_ = false;        // the last write failed, and not for lack of space
    std::vector<Row> unreadable_;  // to be removed with the first write
    hub::AgeClock clock_;
    base::Monotonic age_written_at_{};
    base::Bytes plain_;
    base::Bytes sealed_;
    std::uint64_t rows_written_ = 0;
    std::uint64_t rows_removed_ = 0;
};

}  // namespace sluice::gateway
