// Positions, counters and gaps, saved atomically in two slots in turn. Format: docs/formats/spool.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ledger.hpp"
#include "env/entropy.hpp"
#include "env/file_system.hpp"
#include "flow/spool/block.hpp"
#include "flow/spool/gaps.hpp"
#include "flow/spool/ports.hpp"

namespace sluice::spool {

inline constexpr std::size_t kManifestHeaderBytes = 56;
inline constexpr std::size_t kManifestSlotBytes = 16 << 10;
inline constexpr std::uint16_t kManifestVersion = 2;
inline constexpr std::uint16_t kManifestVersionUnnumbered = 1;  ///< names no key: there was one, number 1
inline constexpr std::size_t kClassNameBytesMax = 64;

struct ManifestClass {
    std::uint8_t slot = 0;
    std::string name;
    std::uint64_t next = 1;          ///< one past the last durable sequence number
    std::uint64_t acknowledged = 1;  ///< everything below is settled
    std::uint64_t delivered = 0;
    std::uint64_t unnumbered = 0;  ///< dropped without a sequence number; in `dropped` too
    std::uint64_t skipped = 0;     ///< numbers left out after damage that hides how many events it cost; not in `dropped`
    base::DropCounts dropped{};
    std::vector<GapList::Entry> gaps;
    friend bool operator==(const ManifestClass&, const ManifestClass&) = default;
};

struct Manifest {
    std::uint64_t epoch = 0;
    std::uint64_t running_ms = 0;
    std::int64_t wall_ms = 0;  ///< at the same moment; 0: the clock was not set
    std::uint64_t next_segment = 1;
    std::uint64_t bytes_accepted = 0;
    std::uint64_t bytes_written = 0;
    std::vector<ManifestClass> classes;
    friend bool operator==(const Manifest&, const Manifest&) = default;
};

/// The body, in the clear.
[[nodiscard]] base::Bytes encode(const Manifest& manifest);
/// Checks all that must hold: positions in order, gaps sorted, the sums. Errors: corrupt.
[[nodiscard]] base::Result<Manifest> decode_manifest(base::ByteView body);

struct ManifestHeader {
    std::uint32_t bytes = 0;
    std::uint64_t generation = 0;
    Salt salt{};
    KeyName key{};
};
/// Of version 1, too. Errors: corrupt, version.
[[nodiscard]] base::Result<ManifestHeader> decode_manifest_header(base::ByteView bytes);

/// A slot as it lies on disk.
[[nodiscard]] base::Bytes seal_manifest(const Manifest& manifest, std::uint64_t generation, const Salt& salt, Sealer& sealer);
struct OpenedManifest {
    std::uint64_t generation;
    Manifest manifest;
};
/// Errors: corrupt, version, wrong_key.
[[nodiscard]] base::Result<OpenedManifest> open_manifest(base::ByteView slot, Sealer& sealer);

/// The two slots. One thread.
class ManifestStore {
public:
    struct Place {
        env::FileSystem& files;
        env::Entropy& entropy;
        Sealer& sealer;
        std::string directory;
    };
    explicit ManifestStore(Place place);

    /// What is on disk; none: no slot opens (there is none, or both are damaged). Changes nothing. A slot whose key is not there counts for
    /// nothing if the other one opens and is newer. Errors: wrong_key, version, permission, io.
    base::Result<std::optional<Manifest>> load();

    /// After load() and before the first save(): makes durable what load() read, and makes missing or damaged slots anew.
    /// Errors: disk_full, io.
    base::Status prepare();

    /// Errors: disk_full, io: the last saved one stays valid; try again.
    base::Status save(const Manifest& manifest);

    /// The keys that a slot may need to be opened: none if it is empty or damaged, several after a save that failed.
    [[nodiscard]] const std::set<KeyNumber>& keys(std::size_t slot) const { return slots_[slot].keys; }
    /// A slot that is not sealed with the newest key: save() once more brings it nearer.
    [[nodiscard]] bool has_older_key() const;

    /// Written by this object, for the write amplification.
    [[nodiscard]] std::uint64_t bytes_written() const { return bytes_written_; }
    [[nodiscard]] std::uint64_t syncs() const { return syncs_; }
    [[nodiscard]] static constexpr std::uint64_t bytes_on_disk() { return 2 * kManifestSlotBytes; }

private:
    struct Slot {
        std::unique_ptr<env::File> file;  ///< none: missing, or not to be trusted after a failed sync
        std::set<KeyNumber> keys;
    };
    [[nodiscard]] std::string path(std::size_t slot) const;
    base::Status replace(std::size_t slot, base::ByteView content);
    base::Status make_anew(std::size_t slot, base::ByteView content);

    Place place_;
    std::array<Slot, 2> slots_;
    std::size_t valid_slot_ = 1;  ///< holds the last saved manifest; the other one is written next
    std::uint64_t generation_ = 0;
    std::uint64_t bytes_written_ = 0;
    std::uint64_t syncs_ = 0;
};

}  // namespace sluice::spool
