// A simulated disk with a page cache: what was not synced is lost or torn at a crash; space ends; calls fail when told to.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "env/file_system.hpp"
#include "sim/random.hpp"

namespace sluice::sim {

/// Counts since the disk was made.
struct DiskCounts {
    std::uint64_t operations = 0;  ///< all calls of FileSystem and File that can fail
    std::uint64_t writes = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t syncs = 0;
    std::uint64_t directory_syncs = 0;
    std::uint64_t crashes = 0;
    std::uint64_t failed_reads = 0;
    std::uint64_t misdirected = 0;
};

/// How likely each call is to fail, in millionths.
struct DiskFaults {
    std::uint32_t write = 0;  ///< write_at: io, after a random prefix was written
    std::uint32_t read = 0;
    std::uint32_t sync = 0;   ///< sync: io; the unsynced bytes then reach the disk in part or not at all, and no later sync brings them
    std::uint32_t other = 0;  ///< open, rename, remove, sync_directory, truncate, reserve, list …
    std::uint32_t misdirected = 0;  ///< of writes that a sync brings to the medium: they land somewhere else, and the sync succeeds
};

/// Files live in memory, each twice: as the processes see it (page cache) and as the medium has it. One thread.
///
/// A crash (crash(), or crash_at() during a call) leaves of each unsynced write any subset of its 512-byte sectors, some with garbage in
/// them; of unsynced sizes any; of unsynced creations, renames and removals any subset that is possible in their order. What was synced
/// stays to the bit. Open files and locks die: calls on them fail with `io`.
class SimDisk final : public env::FileSystem {
public:
    static constexpr std::uint64_t kSectorBytes = 512;  ///< what a medium writes whole or garbles

    explicit SimDisk(std::uint64_t seed);
    ~SimDisk() override;
    SimDisk(const SimDisk&) = delete;
    SimDisk& operator=(const SimDisk&) = delete;

    base::Result<std::unique_ptr<env::File>> open(const std::string& path, env::OpenMode mode) override;
    base::Status rename(const std::string& from, const std::string& to) override;
    base::Status remove(const std::string& path) override;
    base::Status make_directory(const std::string& path) override;
    base::Status sync_directory(const std::string& path) override;
    base::Result<std::vector<std::string>> list(const std::string& path) override;
    base::Result<std::unique_ptr<env::FileLock>> lock(const std::string& path) override;
    base::Result<unsigned> permissions(const std::string& path) override;
    base::Result<env::FileStamp> stamp(const std::string& path) override;

    /// A bit flips on the medium, in a random file; processes see it at once.
    void rot();
    /// The machine gets a new, empty disk. Everything open is dead.
    void replace_medium();
    /// Of a running machine: what is synced is read from the medium again, as it lies there.
    void forget_cache();

    /// Power cut, and on again. Everything open is dead.
    void crash();
    /// The process dies, the machine goes on: open files and locks are gone, the page cache stays (what is unsynced still is). After
    /// kill_at(): it died then.
    void kill_process();

    /// The power goes during the n-th operation from now (1: the next one): that call and all after it fail with `io` until crash().
    void crash_at(std::uint64_t operation) {
        crash_at_ = counts_.operations + operation;
        kill_ = false;
    }
    /// The same for the process alone: until kill_process().
    void kill_at(std::uint64_t operation) {
        crash_at(operation);
        kill_ = true;
    }
    [[nodiscard]] bool power_is_off() const { return off_; }

    /// The n-th operation from now (1: the next one) fails with this error, once.
    void fail_at(std::uint64_t operation, base::Errc code) { fail_at_ = {counts_.operations + operation, code}; }
    void set_faults(const DiskFaults& faults) { faults_ = faults; }
    /// Everything that writes fails with `io` until switched back: a dead medium.
    void set_dead(bool dead) { dead_ = dead; }
    /// Every write of file bytes is disk_full until switched back, also where there were bytes before: file systems that copy on write.
    void set_full(bool full) { full_ = full; }
    /// Space for file bytes and reservations; growing beyond it is disk_full.
    void set_bytes_max(std::uint64_t bytes) { bytes_max_ = bytes; }

    [[nodiscard]] std::uint64_t bytes_used() const;
    [[nodiscard]] const DiskCounts& counts() const { return counts_; }

    /// A file as processes see it, and a way to change it behind their backs (on the medium too); empty if there is none.
    [[nodiscard]] std::optional<base::Bytes> contents(const std::string& path) const;
    void overwrite(const std::string& path, base::Bytes bytes);
    void set_permissions(const std::string& path, unsigned mode) { modes_[path] = mode; }
    [[nodiscard]] std::vector<std::string> paths() const;

private:
    struct Node;
    struct DirectoryChange;
    class SimFile;
    class SimLock;
    [[nodiscard]] std::shared_ptr<Node> make_node();
    using Entries = std::map<std::string, std::shared_ptr<Node>>;
    enum class Kind : std::uint8_t { write, read, sync, other };

    /// Counts the operation and decides whether it fails. On a crash the operation has its effect first with even odds.
    struct Verdict {
        std::optional<base::Error> error;
        bool takes_effect = true;
    };
    Verdict begin(Kind kind, bool changes);
    [[nodiscard]] bool fits(const Node& node, std::uint64_t size) const;
    void settle(Node& node);  ///< decides what of the unsynced writes reaches the medium
    void settle_entries();
    /// Puts bytes on the medium, or somewhere else on it.
    void put_down(Node& node, std::uint64_t offset, base::ByteView bytes);

    Random random_;
    Entries entries_;  ///< as processes see them
    Entries durable_;  ///< as the medium has them
    std::vector<DirectoryChange> changes_;
    std::set<std::string> directories_;
    std::set<std::string> locked_;
    std::map<std::string, unsigned> modes_;
    DiskCounts counts_;
    DiskFaults faults_;
    std::uint64_t bytes_max_ = UINT64_MAX;
    std::uint64_t files_made_ = 0;
    std::uint64_t life_ = 0;  ///< handles of an earlier life are dead
    std::uint64_t crash_at_ = 0;
    bool kill_ = false;  ///< crash_at_ is of the process alone
    std::pair<std::uint64_t, base::Errc> fail_at_{0, base::Errc::io};
    bool off_ = false;
    bool dead_ = false;
    bool full_ = false;
};

}  // namespace sluice::sim
