#include "case_maker.hpp"

#include <array>

namespace sluice::rules::plain {
namespace {

constexpr std::size_t kRulesMax = 4;
constexpr std::size_t kRowsMax = 40;
constexpr int kDepthMax = 3;

/// What the bytes decide; when they are used up, the first of each choice.
class Choices {
public:
    explicit Choices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
    /// From 0 to n - 1.
    std::size_t below(std::size_t n) { return at_ < bytes_.size() ? bytes_[at_++] % n : 0; }
    bool once_in(std::size_t n) { return below(n) == n - 1; }
    template <std::size_t n>
    std::string of(const std::array<const char*, n>& list) {
        return list[below(n)];
    }

private:
    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
};

/// SQL as text. Numbers are quarters, so that sums are exact in any order: what is near a limit falls on the same side of it in both.
/// Fields: x and y numbers, s text, f a condition, k a key, m anything; each may be NULL, or not be there.
class Sql {
public:
    explicit Sql(Choices& choices) : choices_(choices) {
        for (int i = 0; i < 3; ++i) shared_.push_back(number(2, false));
    }

    std::string rule() { return choices_.once_in(2) ? windowed() : plain(); }

private:
    std::string literal() { return choices_.of(std::array{"0", "1", "2", "-3", "0.25", "1.5", "4"}); }
    std::string over(const char* rows = "") {
        return " OVER (" + choices_.of(std::array{"", "PARTITION BY k", "PARTITION BY k", "PARTITION BY k, f"}) + rows + ")";
    }

    std::string number(int depth, bool state) {
        if (depth <= 0) return choices_.of(std::array{"x", "y", "x"});
        if (!shared_.empty() && choices_.once_in(4)) return shared_[choices_.below(shared_.size())];
        const auto a = [&] { return number(depth - 1, state); };
        switch (choices_.below(state ? 20 : 15)) {
            case 0:
                return "(" + a() + choices_.of(std::array{" + ", " - ", " * "}) + a() + ")";
            case 1:
                return choices_.of(std::array{"abs(", "floor(", "ceil(", "round(", "sign("}) + a() + ")";
            case 2:
                return "(- " + a() + ")";  // two signs together begin a comment
            case 3:
                return "(" + a() + " % " + choices_.of(std::array{"3", "2", "0"}) + ")";
            case 4:
                return "coalesce(" + a() + ", " + a() + ")";
            case 5:
                return "nullif(" + a() + ", " + literal() + ")";
            case 6:
                return choices_.of(std::array{"greatest(", "least("}) + a() + ", " + a() + ")";
            case 7:
                return "CASE WHEN " + condition(depth - 1, state) + " THEN " + a() + " ELSE " + a() + " END";
            case 8:
                return "CASE " + a() + " WHEN " + literal() + " THEN " + a() + " END";
            case 9:
                return "length(" + text(depth - 1) + ")";
            case 10:
                return "CAST(" + condition(depth - 1, state) + " AS integer)";
            case 11:
                return "CAST(" + a() + " AS integer)";
            case 12:
                return literal();
            case 15:
                return "lag(" + number(depth - 1, false) + choices_.of(std::array{"", ", 2", ", 3"}) + ")" + over();
            case 16:
                return "delta(" + number(depth - 1, false) + ")" + over();
            case 17:
                return "ewma(" + choices_.of(std::array{"m", "x", "(x + y)"}) + ", 0.5)" + over();
            case 18:
                return choices_.of(std::array{"sum(", "min(", "max(", "count(", "first(", "last("}) + number(depth - 1, false) + ")" +
                       over(" ROWS 3 PRECEDING");
            case 19:
                return "count(*)" + over(" ROWS 5 PRECEDING");
            case 13:
                return "(m + " + a() + ")";
            default:
                return choices_.of(std::array{"x", "y"});
        }
    }

    std::string text(int depth) {
        if (depth <= 0) return choices_.of(std::array{"s", "'a'", "s"});
        switch (choices_.below(6)) {
            case 0:
                return "upper(" + text(depth - 1) + ")";
            case 1:
                return "substr(" + text(depth - 1) + ", 2)";
            case 2:
                return "(" + text(depth - 1) + " || " + text(depth - 1) + ")";
            case 3:
                return "concat(" + text(depth - 1) + ", s)";
            case 4:
                return "coalesce(" + text(depth - 1) + ", 'none')";
            default:
                return "s";
        }
    }

    std::string condition(int depth, bool state) {
        const std::string compare = choices_.of(std::array{" < ", " <= ", " > ", " >= ", " = ", " <> "});
        if (depth <= 0) return choices_.once_in(3) ? "f" : "x" + compare + literal();
        const auto c = [&] { return "(" + condition(depth - 1, state) + ")"; };
        const auto a = [&] { return number(depth - 1, state); };
        switch (choices_.below(state ? 12 : 9)) {
            case 0:
                return a() + compare + a();
            case 1:
                return c() + choices_.of(std::array{" AND ", " OR "}) + c();
            case 2:
                return "NOT " + c();
            case 3:
                return a() + choices_.of(std::array{" BETWEEN ", " NOT BETWEEN "}) + literal() + " AND " + a();
            case 4:
                return a() + choices_.of(std::array{" IN (", " NOT IN ("}) + literal() + ", " + a() + ", " + literal() + ")";
            case 5:
                return text(depth - 1) + choices_.of(std::array{" LIKE 'a%'", " NOT LIKE '_b%'", " = 'ab'", " > s", " IN ('a', s)"});
            case 6:
                return choices_.of(std::array{"m", "x", "s", "f", "absent"}) + choices_.of(std::array{" IS NULL", " IS NOT NULL"});
            case 7:
                return "m" + compare + choices_.of(std::array{"1", "x", "s", "'a'", "f"});
            case 9:
                return choices_.of(std::array{"changed(m)", "changed(x)", "changed(x, 1)"}) + over();
            case 10:
                return choices_.of(std::array{"every(2)", "every(3)"}) + over();
            case 11:
                return "episode(x > 0, 2, 2)" + over() + choices_.of(std::array{" = 'onset'", " IS NOT NULL", " = 'clear'"});
            default:
                return c() + " IS NULL";
        }
    }

    /// What rounds: good for a column, too close to call in a condition.
    std::string rounding() {
        switch (choices_.below(6)) {
            case 0:
                return "zscore(" + number(1, false) + ", 4)" + over();
            case 1:
                return choices_.of(std::array{"rms(x, 3)", "kurtosis(x, 4)", "crest(x, 3)"}) + over();
            case 2:
                return choices_.of(std::array{"avg(", "stddev(", "stddevs(", "var(", "vars(", "median("}) + number(1, false) + ")" +
                       over(" ROWS 4 PRECEDING");
            case 3:
                return "percentile(" + number(1, false) + ", 0.75)" + over(" ROWS 6 PRECEDING");
            case 4:
                return "x / " + choices_.of(std::array{"y", "3", "(x - y)"});
            default:
                return "lag(" + choices_.of(std::array{"m", "s", "f"}) + ")" + over();
        }
    }

    std::string plain() {
        std::string items = "n";
        bool aliased = false;
        const std::size_t count = 1 + choices_.below(3);
        for (std::size_t i = 0; i < count; ++i) {
            const std::string name = "c" + std::to_string(i);
            switch (choices_.below(4)) {
                case 0:
                    items += ", " + condition(2, true) + " AS " + name;
                    break;
                case 1:
                    items += ", " + text(2) + " AS " + name;
                    break;
                case 2:
                    items += ", " + rounding() + " AS " + name;
                    break;
                default:
                    items += ", " + number(kDepthMax, true) + " AS " + name;
                    aliased = aliased || i == 0;
            }
        }
        std::string where;
        if (choices_.once_in(2)) where = " WHERE " + (aliased && choices_.once_in(2) ? "c0 > " + literal() : condition(2, true));
        return "SELECT " + items + " FROM 't'" + where;
    }

    std::string aggregate(bool collects) {
        const std::string a = number(2, choices_.once_in(4));
        switch (choices_.below(collects ? 6 : 5)) {
            case 0:
                return "count(*)";
            case 1:
                return choices_.of(std::array{"sum(", "min(", "max(", "count(", "first(", "last("}) + a + ")";
            case 2:
                return choices_.of(std::array{"avg(", "stddev(", "stddevs(", "var(", "vars(", "median("}) + a + ")";
            case 3:
                return choices_.of(std::array{"first(s)", "last(m)", "count(m)", "max(s)", "min(f)", "last(f)", "sum(m)", "avg(m)"});
            case 4:
                return "percentile(" + a + ", " + choices_.of(std::array{"0", "0.25", "0.9", "1"}) + ")";
            default:
                return choices_.of(std::array{"collect(n)", "collect(x)", "collect(s)"});
        }
    }

    std::string windowed() {
        std::string items = "count(*) AS c";
        const std::string key = choices_.of(std::array{"", "k", "k", "k, f", "coalesce(s, k)"});
        if (key == "k" || key == "coalesce(s, k)") items += ", " + key + " AS key";
        if (key == "k, f") items += ", k, f";
        const std::size_t form = choices_.below(6);
        const bool event = form >= 2 && choices_.once_in(2);
        if (form >= 2) items += ", window_start() AS ws, window_end() AS we";
        // Joined sessions show the values of the earlier one first, whenever they came.
        const bool collects = !(form == 5 && event);
        const std::size_t count = 1 + choices_.below(3);
        for (std::size_t i = 0; i < count; ++i) items += ", " + aggregate(collects) + " AS a" + std::to_string(i);
        std::string query = "SELECT " + items + " FROM 't'";
        if (choices_.once_in(3)) query += " WHERE " + condition(2, choices_.once_in(3));
        const std::string length = std::to_string(1 + choices_.below(12));
        const std::string hop = std::to_string(1 + choices_.below(5));
        static constexpr std::array kForms{"COUNTWINDOW(",       "COUNTWINDOW(",       "TUMBLINGWINDOW(ms, ",
                                           "HOPPINGWINDOW(ms, ", "SLIDINGWINDOW(ms, ", "SESSIONWINDOW(ms, "};
        std::string window = kForms[form];
        if (form == 3)
            window += std::to_string(std::stoi(length) + std::stoi(hop)) + ", " + hop;
        else if (form == 5)  // out of order the longest session is open to choice
            window += (event ? "100000" : std::to_string(std::stoi(length) + std::stoi(hop))) + ", " + hop;
        else
            window += length + (form == 1 ? ", " + hop : "");
        query += " GROUP BY " + key + (key.empty() ? "" : ", ") + window + ")";
        if (choices_.once_in(3))
            query += choices_.of(std::array{" HAVING c > 1", " HAVING sum(x) > 0", " HAVING max(x) IS NOT NULL AND c < 5"});
        if (event)
            query += choices_.of(std::array{" WITH (timestamp = at)", " WITH (timestamp = at, lateness = '2ms')",
                                            " WITH (timestamp = at, lateness = '6ms')", " WITH (timestamp = at + y, lateness = '4ms')"});
        return query;
    }

    Choices& choices_;
    std::vector<std::string> shared_;
};

/// Nothing where the field is not there.
void set_number(Row& row, const char* name, Choices& choices) {
    const std::size_t choice = choices.below(32);
    if (choice == 31) return;
    if (choice == 30)
        row.fields[name] = Null{};
    else if (choice % 2 == 0)
        row.fields[name] = static_cast<std::int64_t>(choice / 2) - 5;
    else
        row.fields[name] = static_cast<double>(choice) / 4 - 3;
}

Datum text(Choices& choices) { return choices.of(std::array{"a", "ab", "abc", "", "B"}); }

Datum anything(Choices& choices) {
    switch (choices.below(5)) {
        case 0:
            return static_cast<std::int64_t>(choices.below(3));
        case 1:
            return text(choices);
        case 2:
            return choices.once_in(2);
        case 3:
            return 0.5 + static_cast<double>(choices.below(3));
        default:
            return Null{};
    }
}

Row make_row(std::int64_t number, std::int64_t arrived, Choices& choices) {
    Row row{.fields = {}, .arrived_ms = arrived};
    row.fields["n"] = number;
    set_number(row, "x", choices);
    set_number(row, "y", choices);
    if (!choices.once_in(8)) row.fields["s"] = text(choices);
    if (!choices.once_in(8)) row.fields["f"] = choices.once_in(2);
    if (!choices.once_in(10)) row.fields["k"] = choices.of(std::array{"p", "q", "r"});
    if (!choices.once_in(6)) row.fields["m"] = anything(choices);
    if (!choices.once_in(16)) row.fields["at"] = arrived + 4 - static_cast<std::int64_t>(choices.below(10));
    return row;
}

}  // namespace

Case make_case(std::span<const std::uint8_t> bytes) {
    // Half of the bytes make the rules, half the readings: a change of one leaves the other as it is.
    Choices of_rules(bytes.first(bytes.size() / 2));
    Choices of_rows(bytes.subspan(bytes.size() / 2));
    Case result;
    Sql sql(of_rules);
    const std::size_t rules = 1 + of_rules.below(kRulesMax);
    for (std::size_t i = 0; i < rules; ++i) result.rules.push_back(sql.rule());
    const std::size_t rows = of_rows.below(kRowsMax);
    std::int64_t arrived = static_cast<std::int64_t>(of_rows.below(30)) - 15;
    for (std::size_t i = 0; i < rows; ++i) {
        arrived += static_cast<std::int64_t>(of_rows.below(6));
        result.rows.push_back(make_row(static_cast<std::int64_t>(i), arrived, of_rows));
    }
    return result;
}

std::string payload_of(const Row& row) {
    std::string json = "{\"ts\":" + std::to_string(row.arrived_ms);
    for (const auto& [name, value] : row.fields) json += ",\"" + name + "\":" + to_json(value);
    return json + "}";
}

}  // namespace sluice::rules::plain
