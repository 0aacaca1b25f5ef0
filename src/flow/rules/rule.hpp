// A rule as the configuration states it, and what can be wrong with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::rules {

struct RuleSpec {
    std::string id;
    std::string sql;
    /// Columns that the rule's destinations name (`alerts/{device}` names `device`). Only a `SELECT *` needs them: such a field is then
    /// taken out of the payload and is an output column of that name. Others must name their columns in the SQL; who checks the
    /// destinations compares with RuleInfo::columns.
    std::vector<std::string> columns_wanted;
    /// Planned with its state, which stays as it is, but not evaluated.
    bool paused = false;
    /// Bytes of its state on all shards; such a rule shares no state with others. 0: the default, and it shares.
    std::size_t state_bytes_max = 0;
    /// Where there is no room for a key, the one that was not seen for longest is forgotten; else the new one is refused. Rules share state
    /// with those that do as they do.
    bool forget_oldest = false;
};

enum class Severity : std::uint8_t {
    error,      ///< the rule cannot run
    not_built,  ///< valid SQL of the dialect that this version cannot run yet; the rule cannot run
    warning,    ///< the rule runs, but perhaps not as meant
};

/// A problem at a place in the SQL text.
struct SqlError {
    std::size_t offset = 0;  ///< in bytes from the start of the SQL
    unsigned line = 1;       ///< from 1
    unsigned column = 1;     ///< from 1, in bytes
    std::string message;     ///< one line: what is wrong, what was expected
    Severity severity = Severity::error;
};

}  // namespace sluice::rules
