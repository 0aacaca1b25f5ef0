// Reads everything that a spool has on disk and says what is wrong with it. Changes nothing; a gateway may be running on it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "env/file_system.hpp"
#include "flow/spool/ports.hpp"

namespace sluice::spool {

enum class ProblemKind : std::uint8_t {
    manifest,        ///< a copy of the manifest is missing or does not open
    no_manifest,     ///< neither opens: positions, counters and gaps are gone
    segment_header,  ///< damaged: the key of the segment cannot be made, nothing in it opens
    block,           ///< not authentic, or not well formed inside
    no_block,        ///< bytes that are no block, good blocks behind them
    torn,            ///< bytes that are no block at the end of the last segment: a write that was cut off, most likely
    missing,         ///< sequence numbers that were given out and that no file has
    order,           ///< a block that cannot follow the one before it
    unreadable,      ///< the disk does not give the bytes
    other_key,       ///< a segment under another key
    other_version,   ///< a segment of an unknown version of the format
    foreign,         ///< a segment that is not of this spool: epoch, class or number disagree with its name and the manifest
};

/// In the order of ProblemKind.
inline constexpr std::array<std::string_view, 12> kProblemNames{"manifest",   "no_manifest", "segment_header", "block",
                                                                "no_block",   "torn",        "missing",        "order",
                                                                "unreadable", "other_key",   "other_version",  "foreign"};
[[nodiscard]] constexpr std::string_view name(ProblemKind kind) { return kProblemNames[static_cast<std::size_t>(kind)]; }

struct Problem {
    ProblemKind kind{};
    std::string file;  ///< in the folder of the spool; with `missing` the one in which the numbers should have come before `offset`
    std::uint64_t offset = 0;
    std::string event_class;  ///< empty: not of one class
    std::uint64_t first = 0;  ///< sequence numbers that it concerns; 0: none, or unknown
    std::uint64_t last = 0;
    /// Of these, not yet delivered and not yet counted as gone. 0 with torn: unknown, and nobody was promised them.
    std::uint64_t events_lost = 0;
};

struct VerifySummary {
    bool manifest = false;  ///< one opens
    std::uint64_t epoch = 0;
    std::uint64_t segments = 0;
    std::uint64_t blocks = 0;   ///< authentic and well formed
    std::uint64_t events = 0;   ///< in them, delivered ones included
    std::uint64_t bytes = 0;    ///< of all segments that were read
    std::uint64_t waiting = 0;  ///< by the manifest and the segments: neither delivered nor counted as gone; lost ones included
    std::uint64_t problems = 0;
    std::uint64_t events_lost = 0;
    [[nodiscard]] bool good() const { return problems == 0; }
};

/// Who wants to know.
class VerifyObserver {
public:
    virtual ~VerifyObserver() = default;
    virtual void on_problem(const Problem& problem) = 0;
    /// Bytes of segments, now and then.
    virtual void on_progress(std::uint64_t done, std::uint64_t total) = 0;
    /// Something may be in the middle of being written by a gateway. True, after a moment: look again. False: take it as it is. Asked a
    /// bounded number of times for each class.
    virtual bool wait() = 0;
};

/// Memory: one block and the problems of one segment. A gateway may write, drop and remove meanwhile: what that explains is no problem.
/// Errors: not_found (no spool there), wrong_key (of the manifest, or of all segments where no manifest opens), version (of the manifest),
/// permission, io.
[[nodiscard]] base::Result<VerifySummary> verify(env::FileSystem& files, Sealer& sealer, const std::string& directory,
                                                 VerifyObserver& observer);

}  // namespace sluice::spool
