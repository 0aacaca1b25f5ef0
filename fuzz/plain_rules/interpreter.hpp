// One rule over rows held in memory, evaluated straight from its parsed SQL: nothing is compiled, shared, kept or added up as it comes.
// Slow and plain, to compare the engine with.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "datum.hpp"
#include "flow/rules/ast.hpp"

namespace sluice::rules::plain {

/// A reading: its fields (no nested ones), and its time of arrival, which never goes back.
struct Row {
    std::map<std::string, Datum> fields;
    std::int64_t arrived_ms = 0;
};

/// The columns of an output row.
using Output = std::vector<Datum>;

/// A group of readings that a window puts out.
struct Group {
    std::vector<Datum> key;
    std::vector<std::size_t> rows;  ///< in the order that `collect` shows
    std::vector<std::int64_t> at;   ///< their times
    bool timed = false;
    std::int64_t start_ms = 0;
    std::int64_t end_ms = 0;
};

class Interpreter {
public:
    /// Both must outlive it. `query` has no problems.
    Interpreter(const Query& query, const std::vector<Row>& rows) : query_(query), rows_(rows) {}

    struct Result {
        std::vector<Output> rows;  ///< in order; the groups that a window puts out at the same time in any order
        std::uint64_t late = 0;    ///< readings that came too late for every window
    };
    [[nodiscard]] Result run() const;

private:
    friend class Windows;

    /// With `group` the expression stands in SELECT or HAVING of a query with a window.
    struct Place {
        std::size_t row = 0;
        const Group* group = nullptr;
        bool sees_aliases = false;
    };

    [[nodiscard]] Datum value(const Expr& expr, const Place& place) const;
    [[nodiscard]] Datum column(const Expr& expr, const Place& place) const;
    [[nodiscard]] Datum call(const Expr& expr, const Place& place) const;
    [[nodiscard]] Datum binary(const Expr& expr, const Place& place) const;
    [[nodiscard]] Datum case_of(const Expr& expr, const Place& place) const;
    [[nodiscard]] Datum with_state(const Expr& expr, std::size_t row) const;
    [[nodiscard]] Datum of_group(const Expr& expr, const Group& group) const;
    [[nodiscard]] const SelectItem* alias(const std::string& name) const;
    [[nodiscard]] bool passes(std::size_t row) const;
    [[nodiscard]] std::vector<Datum> values(const std::vector<ExprPtr>& exprs, std::size_t row) const;

    const Query& query_;
    const std::vector<Row>& rows_;
};

}  // namespace sluice::rules::plain
