// `sluice spool verify`: everything in the spool read and checked, nothing changed.
#pragma once

#include <string>

#include "flow/spool/verify.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

/// Adds `verify` to `sluice spool`.
void add_spool_verify(CLI::App& spool, Exit& exit);

/// One row, without its end of line: FILE:OFFSET, what, which events, what it costs.
[[nodiscard]] std::string problem_text(const spool::Problem& problem);
/// {"file","offset","problem","class","first","last","events_lost","text"}
[[nodiscard]] std::string problem_json(const spool::Problem& problem);
/// The last row.
[[nodiscard]] std::string verify_text(const spool::VerifySummary& summary);
/// {"good","manifest","epoch","segments","blocks","events","bytes","waiting","problems","events_lost"}
[[nodiscard]] std::string verify_json(const spool::VerifySummary& summary);

}  // namespace sluice::cli
