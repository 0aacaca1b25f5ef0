// Sessions and retained messages on disk: sealed rows in SQLite. docs/formats/sessions.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
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
#include "gateway/key_desk.hpp"
#include "gateway/session_changes.hpp"
#include "manage/identity/aead.hpp"
#include "manage/identity/key_ring.hpp"

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
        hub::Age stopped = 1;           ///< age at which the last run wrote last
        hub::AgeClock clock;            ///< this run's
        bool moved_aside = false;       ///< the file was damaged; what could be read of it is in a new one
        std::vector<HeldKey> locked{};  ///< rows whose key is not there; they count as unreadable
    };

    /// Opens `<directory>/sessions.db`, or makes it, and reads all of it. Errors: wrong_key: the key that it was used with last is not
    /// there. A damaged file is put aside as `sessions.db.damaged` (in the
    /// place of an earlier one) and what could be read goes into a new one. Errors: wrong_key, version, permission, in_use, disk_full, io.
    static base::Result<std::unique_ptr<SessionDatabase>> open(World world, const identity::KeyRing& keys, const std::string& directory,
                                                               Loaded& loaded);

    /// All of it or nothing, durable when it returns. The gateway's age is written with it once a second.
    /// After a failure that is not a full disk the file is opened anew by its name: the disk may have come back, or another is in its
    /// place. Errors: disk_full, io, corrupt, and those of open(); the same changes may be written again.
    base::Status write(const SessionChanges& changes);
    /// Only the age. Nothing is written while the database has never held a row.
    base::Status write_age();

    /// Other master keys from now on: the newest seals. What older ones seal is for reseal().
    void use(const identity::KeyRing& keys);
    /// Seals some rows again that need an older key. True: there are more. Errors: as write(); it goes on with the next call.
    base::Result<bool> reseal();
    /// What older keys hold, durably; how many rows is counted from above.
    [[nodiscard]] std::vector<HeldKey> held() const;
    [[nodiscard]] identity::KeyNumber newest_key() const { return keys_.newest(); }
    /// Rows by the key that they need, read beside everything else. Errors: not_found (there is no database), in_use (a gateway runs on
    /// it: said at once), version, permission, corrupt, io.
    static base::Result<std::vector<HeldKey>> scan_keys(const std::string& directory);
    /// The key that the file says it was used with last: open() refuses another one.
    struct NamedKey {
        identity::KeyNumber key = 1;
        base::Bytes check;  ///< empty: the file has none
        [[nodiscard]] bool is(const identity::MasterKey& master) const;
    };
    /// Errors: as scan_keys().
    static base::Result<NamedKey> scan_named_key(const std::string& directory);

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
    struct Epoch {
        identity::KeyNumber key;
        identity::Aead aead;
    };
    SessionDatabase(World world, const identity::KeyRing& keys, std::string path);
    /// Rows come to `rows` as far as they were read, with errors, too.
    static base::Result<std::unique_ptr<SessionDatabase>> open_file(World world, const identity::KeyRing& keys, const std::string& path,
                                                                    std::vector<Row>& rows);
    base::Status open_database();
    base::Status reopen();
    base::Status prepare();
    base::Status check_key();
    void look_for_older_keys();
    base::Status name_key();
    struct Pass {
        std::int64_t after = 0;  ///< row id: so far it has come
        std::int64_t until = 0;  ///< rows behind it are younger than the newest key
        std::uint64_t left = 0;  ///< rows, about
        bool under_way = false;
    };
    base::Status reseal_rows(Pass& pass);
    base::Status reseal_row(Row& row, base::ByteView value);
    /// The key that a row is to be stored under; none: its body is not valid.
    [[nodiscard]] std::optional<base::Bytes> newest_name(const Row& row) const;
    base::Status remove_older_names(std::uint64_t session, const SessionChanges::Place& place);
    base::Status load_epochs();
    base::Status load_rows(std::vector<Row>& rows);
    [[nodiscard]] bool unseal(Row& row, base::ByteView value);
    base::Status rescue(const std::vector<Row>& rows);
    void take_rows(std::vector<Row>&& rows, Loaded& loaded);

    base::Status transaction(const std::function<base::Status()>& write);
    base::Status attempt(const std::function<base::Status()>& write);
    base::Status write_rows(const SessionChanges& changes);
    base::Status begin_epoch();
    base::Status put(std::int64_t session, std::int64_t kind, base::ByteView key, base::ByteView body);
    base::Status put_age();
    base::Status remove(std::int64_t session, std::int64_t kind, base::ByteView key);
    [[nodiscard]] static base::Bytes stored_key(const identity::Secret& names, std::uint64_t session, const SessionChanges::Place& place);

    World world_;
    identity::KeyRing keys_;
    identity::Secret names_;
    std::vector<identity::Secret> older_names_;  // while rows may be stored under them
    identity::KeyNumber named_key_ = 0;          // the one that the file says it was used with
    std::string path_;
    std::optional<sqlite::Database> database_;  // none: could not be opened again, will be tried
    sqlite::Statement begin_, commit_, rollback_, put_, remove_, end_, add_epoch_, drop_epoch_, scan_;
    std::map<std::uint32_t, Epoch> epochs_;
    std::map<std::uint32_t, identity::KeyNumber> locked_epochs_;  // whose key is not there
    std::map<identity::KeyNumber, std::uint64_t> locked_rows_;
    Pass pass_;
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
