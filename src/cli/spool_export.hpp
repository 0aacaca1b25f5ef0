// `sluice spool export`: what waits for the cloud as lines of JSON, to be carried there by hand.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "cli/line_output.hpp"
#include "flow/spool/spool.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

/// Adds `export` to `sluice spool`.
void add_spool_export(CLI::App& spool, Exit& exit);

struct SpoolExportOptions {
    std::string only_class;   ///< empty: all, in the order of their priority
    std::uint64_t after = 0;  ///< only later sequence numbers; of one class
};

struct SpoolExported {
    std::uint64_t epoch = 0;
    std::uint64_t events = 0;   ///< written
    std::uint64_t gone = 0;     ///< dropped before: known, told, not waiting
    std::uint64_t settled = 0;  ///< a running gateway delivered or dropped them while we read
    std::uint64_t damaged = 0;  ///< waited, and cannot be read
    std::uint64_t unread = 0;   ///< waited; reading was given up (the disk fails)
    /// All that waited is there.
    [[nodiscard]] bool complete() const { return damaged == 0 && unread == 0; }
};

/// A view of the spool as it is now.
using OpenSpool = std::function<base::Result<std::unique_ptr<spool::Spool>>()>;

/// Lines: {"class","epoch","seq","rule","ts","data"} for each event; {"class","epoch","first","last","gone"} for numbers that no event
/// comes for, `gone` with the ledger's reason, or `settled`, or `unread`; at the end {"complete","epoch","events","gone","settled",
/// "damaged","unread"}. A class at a time, ascending within one. Memory: one block of events.
/// Errors: not_found (no such class), those of `open`, those of `out` (nothing more is written).
base::Result<SpoolExported> spool_export(const OpenSpool& open, const SpoolExportOptions& options, LineOutput& out);

}  // namespace sluice::cli
