// The inside of a Spool. commit.cpp: memory to disk; room.cpp: dropping, removing, saving; read.cpp: disk to uplink; recovery.cpp: opening.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flow/spool/class_log.hpp"
#include "flow/spool/manifest.hpp"
#include "flow/spool/running_time.hpp"
#include "flow/spool/spool.hpp"

namespace sluice::spool {

inline constexpr std::uint64_t kSegmentBytesMin = 16 << 10;
inline constexpr std::uint64_t kSegmentBytesMax = 8 << 20;  ///< what one drop costs at most; a scan of the last segment at start
inline constexpr std::uint64_t kSegmentsPerSpool = 64;
inline constexpr std::size_t kBlockTargetBytesMax = 64 << 10;
static_assert(kSpoolBytesMin / kSegmentsPerSpool >= kSegmentBytesMin);
static_assert(2 * kManifestSlotBytes + data::kClassesMax * kSegmentBytesMin < kSpoolBytesMin, "all classes fit into the smallest spool");
static_assert(kSpoolBytesMin / 8 > kSegmentBytesMin, "a large event has room in the smallest spool");
static_assert(kRecordBytesMax + 64 <= kBlockBodyBytesMax);
static_assert(kSpoolBytesMin * kSharePercentMin / 100 >= 3 * kSegmentBytesMin, "the smallest share is more than what is being written");

struct Parts {
    Spool::Environment environment;
    Options options;
    std::unique_ptr<env::FileLock> lock;
    std::uint64_t epoch = 0;
    std::vector<ClassOptions> classes;  ///< as the logs
    std::vector<ClassLog> logs;
    std::vector<std::size_t> by_priority;  ///< indexes of logs, the most important first
    ManifestStore manifests;
    std::optional<RunningTime> time;  ///< set by recovery

    struct Doomed {
        std::string path;
        std::uint64_t allocated;
        std::uint8_t slot;  ///< of its class
        std::uint64_t end;  ///< one past its last event
        KeyNumber key;
    };
    std::vector<Doomed> doomed;  ///< files to remove once the manifest says that they are not needed
    /// Files under older keys that were removed since the folder was last synced: after a power cut they may be there again.
    std::vector<KeyUse> removed_older;
    std::uint64_t used = 0;         ///< allocated by segments and doomed files
    std::size_t pending_bytes = 0;  ///< of all classes, not yet packed
    std::uint64_t next_segment = 1;
    std::uint64_t bytes_accepted = 0;
    std::uint64_t blocks_written = 0;  ///< bytes of segments, this run
    std::uint64_t bytes_written_before = 0;
    std::uint64_t syncs = 0;
    std::uint64_t commits = 0;
    std::uint64_t sync_failures = 0;
    std::vector<KeyUse> foreign;  ///< an entry each
    /// Not looked at since the start: limits may have been lowered, and a power cut may give a file back what it had reserved and given up.
    bool may_be_over = true;
    bool removals_unsaved = false;   ///< files were removed without a manifest that says so
    bool losses_unsaved = false;     ///< gaps or drop counts that the manifest on disk does not have
    bool positions_unsaved = false;  ///< only acknowledgements: may wait
    bool degraded = false;
    bool drops_on_full_disk = true;
    bool manifest_rebuilt = false;
    std::uint64_t corrupt_at_open = 0;
    base::Monotonic saved_at{};
    base::Bytes scratch;
    Packer packer;
    Unpacker unpacker;

    Parts(Spool::Environment environment, Options options);

    ClassLog& log_of(data::ClassIndex index);
    [[nodiscard]] std::uint64_t segment_bytes() const;
    [[nodiscard]] std::size_t block_target_bytes() const;
    [[nodiscard]] std::uint64_t share_bytes(const ClassLog& log) const;
    [[nodiscard]] std::uint64_t record_bytes_max(const ClassLog& log) const;
    [[nodiscard]] std::string segment_path(const ClassLog& log, std::uint64_t number) const;
    [[nodiscard]] std::uint64_t bytes_used() const { return used + ManifestStore::bytes_on_disk(); }

    // recovery.cpp
    base::Status recover();

    // commit.cpp
    base::Result<data::Sequence> append(const data::Event& event);
    base::Status commit();
    base::Status commit_class(ClassLog& log);
    base::Status commit_part(ClassLog& log);
    base::Status start_segment(ClassLog& log);
    void close_segment(ClassLog& log);
    void close_older_key(ClassLog& log);
    void abandon_segment(ClassLog& log);
    void publish(ClassLog& log, std::size_t blocks);
    /// What the block takes on disk; it is packed, if blocks are to be.
    std::size_t size_on_disk(BlockBuilder& block);

    // room.cpp
    /// Counts first … last as lost, as far as they are neither settled nor lost already.
    void lose(ClassLog& log, std::uint64_t first, std::uint64_t last, base::DropReason reason);
    void lose_pending(ClassLog& log, std::size_t blocks, base::DropReason reason);
    /// Takes a segment out of the log; its file goes once the manifest is saved.
    void doom(ClassLog& log, std::size_t at);
    void doom_finished(ClassLog& log);
    /// The class that gives way to `log`: the least important one that has segments and is not more important. None: `log` itself has to.
    ClassLog* victim(const ClassLog& log);
    /// The oldest or the newest one, as the class has it; it must have one.
    void drop_segment(ClassLog& log, base::DropReason reason);
    /// True: there is room for so many bytes more of the class, in its share and in the whole. False: they have to go themselves.
    /// Errors: io, disk_full (manifest not saved).
    base::Result<bool> admit(ClassLog& log, std::uint64_t bytes);
    /// What a class has on disk, files that are about to go included.
    [[nodiscard]] std::uint64_t bytes_held(const ClassLog& log) const;
    /// Drops segments of a class that has more than its share, less so many bytes. Errors: io, disk_full.
    base::Status shrink_to_share(ClassLog& log, std::uint64_t bytes);
    /// True: so many bytes are free. False: only more important classes, or what `log` wants to keep, are left. Errors: io, disk_full.
    base::Result<bool> make_room(const ClassLog& log, std::uint64_t bytes);
    /// After the disk said that it is full. True: something was dropped, try again.
    bool give_way(ClassLog& log);
    void make_memory(const ClassLog& log, std::size_t bytes);
    void pass_hole(ClassLog& log);
    /// Saves the manifest, then removes doomed files. Returns how many were removed. Errors: io, disk_full.
    /// On a disk without space for a manifest one file goes first, if recovery would see that it is missing.
    base::Result<std::size_t> remove_doomed();
    /// Drops what is above the limits of the classes and of all. Errors: as remove_doomed().
    base::Status keep_limits();
    base::Status sync_removals();
    [[nodiscard]] bool would_be_missed(const Doomed& file) const;
    base::Status save();
    void expire(ClassLog& log);
    base::Status maintain();

    // read.cpp
    base::Result<ReadResult> read(ClassLog& log, data::ClassIndex index, std::uint64_t from, ReadLimits limits, EventVisitor& visitor);
    /// Makes the cursor hold the block with this event. False: the event was found to be lost and counted. Errors: io.
    base::Result<bool> seek(ClassLog& log, const Segment& segment, std::uint64_t sequence);
    base::Status open_cursor(ClassLog& log, const Segment& segment);
    void acknowledge(ClassLog& log, std::uint64_t last);
};

}  // namespace sluice::spool
