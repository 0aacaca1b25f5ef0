// The spool: the encrypted store-and-forward queue on disk. Format, limits and recovery: docs/formats/spool.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ledger.hpp"
#include "data/reading.hpp"
#include "env/clock.hpp"
#include "env/entropy.hpp"
#include "env/file_system.hpp"
#include "flow/spool/ports.hpp"

namespace sluice::spool {

inline constexpr std::uint64_t kSpoolBytesMin = 1 << 20;  ///< below this, segments of several classes do not fit beside each other
inline constexpr std::size_t kRecordBytesMax = 1 << 20;   ///< rule id + JSON of one event; at most bytes_max / 8 and half its class's share
inline constexpr std::uint32_t kSharePercentMin = 5;      ///< three segments of the smallest spool

/// Which events of a class go when it is at its share, or has to give way to others.
enum class DropPolicy : std::uint8_t {
    oldest,  ///< what waits longest: the latest news counts
    newest,  ///< what comes last: the beginning counts
};

struct ClassOptions {
    std::string name;                           ///< 1 to 64 bytes; events stay with their class by name, the order may change
    std::uint32_t priority = 0;                 ///< 0 is the most important; the greatest number is dropped first
    std::chrono::milliseconds time_to_live{0};  ///< 0: for ever. Counts while the gateway runs (and is off, if both clocks were set)
    std::uint32_t share_percent = 100;          ///< kSharePercentMin to 100: of bytes_max, what its segments may take at most
    DropPolicy drop = DropPolicy::oldest;
};

struct Options {
    std::string directory;                     ///< `<data>/spool`; made if missing
    std::uint64_t bytes_max = 256U << 20;      ///< of all files in the directory, preallocated space included; ≥ kSpoolBytesMin
    std::size_t pending_bytes_max = 4U << 20;  ///< memory for events that are not yet on disk (a dead disk fills it)
    std::vector<ClassOptions> classes;         ///< 1 to data::kClassesMax; ClassIndex is the index in this list
    bool compress = false;                     ///< what is written; what is read says it by itself
    /// append() commits by itself when the memory is full. False: it only does so once the disk has failed, and goes above the limit
    /// before: for who must write something else first.
    bool commits_when_full = true;
    bool read_only = false;  ///< looks at a spool that a gateway may be running on: no lock, changes nothing
};

/// Sequence numbers first … last of a class that the cloud will never get.
struct Gap {
    data::Sequence first;
    data::Sequence last;
    base::DropReason reason;
    friend bool operator==(const Gap&, const Gap&) = default;
};

/// Receives the events that read() finds. The views of the event are valid during the call only.
class EventVisitor {
public:
    virtual ~EventVisitor() = default;
    virtual void on_event(data::Sequence sequence, const data::Event& event) = 0;
};

struct ReadLimits {
    std::size_t events = 1000;
    std::size_t bytes = 256 << 10;  ///< of rule ids and JSON; the first event comes whatever its size
};

/// What one read() found: events up to `next`, or a gap that begins at `from`, or nothing (next == from, no gap).
struct ReadResult {
    data::Sequence next;  ///< where to go on reading: one past the last event or past the gap
    std::size_t events = 0;
    std::optional<Gap> gap;  ///< only with events == 0: tell the cloud, then acknowledge() it like events
};

/// created = delivered + waiting + dropped, always, over the life of the directory.
struct ClassStats {
    std::string name;
    std::uint64_t created = 0;
    std::uint64_t delivered = 0;
    std::uint64_t waiting = 0;  ///< on disk or pending, not yet acknowledged by the cloud
    base::DropCounts dropped{};
    std::uint64_t pending = 0;       ///< of waiting: not yet durable
    std::uint64_t bytes = 0;         ///< disk space of its segments, those included that are about to be removed
    std::uint64_t bytes_max = 0;     ///< its share of the spool's bytes_max: more it never takes
    data::Sequence acknowledged{0};  ///< last one the cloud has (or was told is gone)
    data::Sequence durable{0};       ///< last one that readers see
    data::Sequence last{0};          ///< last one given out
    [[nodiscard]] std::uint64_t dropped_total() const;
};

struct Stats {
    std::vector<ClassStats> classes;  ///< in the order of Spool::classes()
    std::uint64_t bytes_used = 0;     ///< on disk, everything
    std::uint64_t bytes_max = 0;
    std::uint64_t bytes_accepted = 0;  ///< rule ids + JSON of all events ever committed
    std::uint64_t bytes_written = 0;   ///< to disk, ever: over bytes_accepted this is the write amplification
    std::uint64_t syncs = 0;           ///< since open
    std::uint64_t commits = 0;         ///< since open, those that wrote something
    std::uint64_t segments = 0;
    std::uint64_t sync_failures = 0;     ///< writes or syncs that failed, since open
    std::uint64_t foreign_segments = 0;  ///< files that belong to another spool, left alone
    bool degraded = false;               ///< the last commit failed: events wait in memory, acknowledgements are withheld
    std::uint64_t corrupt_at_open = 0;   ///< events that recovery found to be damaged or missing: part of `dropped`
    bool manifest_rebuilt = false;       ///< both manifests were unreadable at open; positions come from the segments
};

/// What on disk is sealed with a key.
struct KeyUse {
    KeyNumber key = 0;
    std::uint64_t segments = 0;
    std::uint64_t bytes = 0;      ///< of these
    std::uint64_t manifests = 0;  ///< slots
    friend bool operator==(const KeyUse&, const KeyUse&) = default;
};

struct Parts;

/// Owned by one thread (the backbone); every call may block on the disk. All of it survives a power cut at any moment: what commit()
/// reported durable is read back, in order, each sequence number always with the same content.
class Spool {
public:
    struct Environment {
        env::FileSystem& files;
        const env::Clock& clock;
        env::Entropy& entropy;
        Sealer& sealer;
    };

    /// Opens or creates. Recovers: cuts a torn tail, turns unreadable blocks into counted gaps, picks up positions. Events under a key that
    /// the sealer does not have are lost (`corrupt`). Errors: wrong_key (the positions, or all segments where there are none, are under a
    /// key that the sealer does not have; nothing was touched), in_use (another process has it open), version, invalid (options), limit
    /// (too many classes over the life of the directory), permission, disk_full, io; not_found (only with read_only).
    static base::Result<std::unique_ptr<Spool>> open(Environment environment, Options options);

    ~Spool();  ///< does not commit; call close() for a clean stop
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;

    /// The configured classes in their order, then those that older configurations left in the directory (lowest priority, they drain).
    [[nodiscard]] const std::vector<ClassOptions>& classes() const;
    /// Below 2^53. Sequence numbers of a class never repeat within one.
    [[nodiscard]] data::Epoch epoch() const;

    /// Takes one event into memory; commit() makes it durable. Always makes room: when the memory limit is reached because the disk fails,
    /// the oldest pending event of the lowest class goes and is counted as disk_full.
    /// Errors: too_large (counted as created and dropped; no sequence number is used up).
    base::Result<data::Sequence> append(const data::Event& event);

    /// Counts an event of a class that was lost before it came here (a full mailbox): created and dropped.
    void count_dropped(data::ClassIndex event_class, base::DropReason reason, std::uint64_t events = 1);

    /// Makes everything appended durable and visible to readers: one block and one sync per class with new events. Makes room by dropping
    /// a segment of the lowest class, or of a class that is at its share: by its policy the oldest one, or what is newest. On success each
    /// appended event is durable or counted as dropped, durably. Errors: io, disk_full, permission: events stay pending (acknowledge
    /// nothing); the next call tries again, in new files.
    base::Status commit();

    /// Gives up a durable event that waits: a cloud will never take it. Told as a gap; durable before read() shows that.
    void drop(data::ClassIndex event_class, data::Sequence sequence, base::DropReason reason);

    /// Takes back a durable event that nobody has read: counted as corrupt, as if the write that brought it had been torn there. For who
    /// finds at a start that the rest of a write is missing. Durable with the next commit().
    void retract(data::ClassIndex event_class, data::Sequence sequence);

    /// What is pending has been acknowledged, since it is safe elsewhere: it is not dropped for want of memory, and of its class nothing
    /// newer is written before it is durable.
    void promise();
    /// Are there losses that only memory has counted yet? The next commit() saves them.
    [[nodiscard]] bool has_unsaved_losses() const;
    /// For who shares the disk and finds it full: drops the oldest segment of the least important class (disk_full), durably. False: there
    /// is none, or it did not help.
    bool give_way();
    /// False: on a full disk commit() fails and nothing is dropped, since something else has to give way.
    void drop_on_full_disk(bool drop);

    /// Reads durable events from a position on. Skips nothing: a hole is reported as a gap. A gap is reported only once it is durable.
    /// `from` below the acknowledged position counts as the position after it. Errors: io (try again later); with read_only not_found (the
    /// gateway has removed the file since: open anew).
    base::Result<ReadResult> read(data::ClassIndex event_class, data::Sequence from, ReadLimits limits, EventVisitor& visitor);

    /// The cloud has everything up to and including `last`. Durable lazily: a crash only means a resend. Deletes finished segments.
    void acknowledge(data::ClassIndex event_class, data::Sequence last);

    /// First position that is not acknowledged, where reading starts after open.
    [[nodiscard]] data::Sequence first_waiting(data::ClassIndex event_class) const;
    /// One past the last durable event: read() at this position finds nothing.
    [[nodiscard]] data::Sequence durable_end(data::ClassIndex event_class) const;

    /// Call about once a second: expires by time to live, saves positions, removes finished files. Errors: io, disk_full (try again later).
    base::Status maintain();

    /// Commits and saves positions. The object is only good for destruction afterwards. Errors as commit().
    base::Status close();

    [[nodiscard]] Stats stats() const;

    /// By key, ascending: what is durable as of now needs these keys, and no others. When the sealer has a newer one, commit() and
    /// maintain() take it over; older ones are needed until what they seal is delivered or dropped, and its files are gone.
    [[nodiscard]] std::vector<KeyUse> key_use() const;

private:
    explicit Spool(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace sluice::spool
