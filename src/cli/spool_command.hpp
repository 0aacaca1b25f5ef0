// `sluice spool stat|cat` (verify and export have files of their own): what waits for the cloud, read with the gateway's key, while the
// gateway runs or not.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "flow/spool/spool.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

void add_spool(CLI::App& app, Exit& exit);

/// The table of `spool stat`, and the same as one JSON object.
[[nodiscard]] std::string spool_stat_text(const spool::Stats& stats, data::Epoch epoch);
[[nodiscard]] std::string spool_stat_json(const spool::Stats& stats, data::Epoch epoch);

struct SpoolCatOptions {
    std::string only_class;            ///< empty: all, in the order of their priority
    std::uint64_t limit = UINT64_MAX;  ///< events, of all classes together
    bool json = false;                 ///< {"class","seq","ts","rule","data"} a line; gaps as {"class","first","last","gone"}
};

/// Hands out the lines of `spool cat`, oldest first within a class. Errors: not_found (no such class), io.
class SpoolCatOutput {
public:
    virtual ~SpoolCatOutput() = default;
    virtual void line(std::string_view text) = 0;
};
base::Status spool_cat(spool::Spool& spool, const SpoolCatOptions& options, SpoolCatOutput& out);

}  // namespace sluice::cli
