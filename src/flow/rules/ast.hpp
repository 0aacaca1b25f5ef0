// A parsed query. Every part knows its place in the SQL text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codec/json/field_set.hpp"

namespace sluice::rules {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

/// OVER (PARTITION BY … [ROWS n PRECEDING])
struct Over {
    std::size_t offset = 0;
    std::vector<ExprPtr> partition;
    std::optional<std::int64_t> preceding;
    std::size_t rows_offset = 0;
};

struct Expr {
    enum class Kind : std::uint8_t {
        null,
        boolean,
        integer,
        number,
        text,
        column,   ///< path
        star,     ///< the * of count(*)
        call,     ///< name(args) [OVER over]
        negate,   ///< -a
        not_,     ///< NOT a
        binary,   ///< a name b
        between,  ///< a BETWEEN b AND c
        in,       ///< a IN (b, c, …)
        like,     ///< a LIKE b [ESCAPE c]
        is_null,  ///< a IS NULL
        case_,    ///< [operand] then pairs of when and then, and an ELSE: see has_operand, has_else
        cast,     ///< CAST(a AS name)
    };
    Kind kind = Kind::null;
    std::size_t offset = 0;
    std::size_t stop = 0;  ///< behind its last token
    bool negated = false;  ///< NOT BETWEEN, NOT IN, NOT LIKE, IS NOT NULL, TRY_CAST
    bool truth = false;    ///< of a boolean
    bool has_operand = false;
    bool has_else = false;
    std::int64_t whole = 0;
    double real = 0;
    std::string name;  ///< function in lower case, operator, type, or the content of a text
    json::Path path;
    std::uint32_t join = 0;  ///< of a column: of the table of the join with this number, from 1; 0: of the reading
    bool qualified = false;  ///< a column written with a name before it, which is no longer in the path: never an alias
    std::vector<ExprPtr> args;
    std::unique_ptr<Over> over;
};

struct SelectItem {
    ExprPtr expr;
    std::string name;  ///< of the output column: the alias, else made from the expression
    std::size_t offset = 0;
    std::size_t name_offset = 0;
    bool aliased = false;
};

struct FromTopic {
    std::string filter;
    std::size_t offset = 0;
};

/// [LEFT] JOIN table [AS alias] ON on
struct Join {
    std::string table;
    std::size_t offset = 0;  ///< of the table's name
    std::string alias;       ///< what columns are written with: the table's name where there is no other
    bool left = false;
    ExprPtr on;
};

/// TUMBLINGWINDOW(ss, 10) and the others, as written.
struct WindowCall {
    std::string name;  ///< in lower case
    std::size_t offset = 0;
    std::string unit;  ///< in lower case; empty for COUNTWINDOW
    std::size_t unit_offset = 0;
    std::vector<std::int64_t> numbers;
    std::vector<std::size_t> number_offsets;
};

/// WITH (timestamp = ts, lateness = '5s')
struct EventTime {
    std::size_t offset = 0;
    ExprPtr timestamp;
    std::string lateness;  ///< as written; empty: none
    std::size_t lateness_offset = 0;
};

struct Query {
    bool star = false;
    std::size_t star_offset = 0;
    std::vector<SelectItem> items;
    std::vector<FromTopic> from;
    std::string stream;  ///< what the readings are called; empty: nothing
    std::vector<Join> joins;
    ExprPtr where;
    std::vector<ExprPtr> group_by;
    std::size_t group_offset = 0;
    bool grouped = false;
    std::optional<WindowCall> window;
    bool window_failed = false;  ///< there is one, but it could not be read
    ExprPtr having;
    std::optional<EventTime> event_time;
};

}  // namespace sluice::rules
