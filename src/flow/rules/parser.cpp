#include "flow/rules/parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "flow/rules/expression_parser.hpp"
#include "flow/rules/qualified_names.hpp"

namespace sluice::rules {
namespace {

class QueryParser {
public:
    QueryParser(TokenCursor& cursor, ExpressionParser& expressions, std::string_view sql, const Limits& limits, Problems& problems)
        : cursor_(cursor), expressions_(expressions), sql_(sql), limits_(limits), problems_(problems) {}

    Query run() {
        if (!cursor_.take_word("select")) {
            problems_.error(cursor_.offset(), "expected SELECT, found " + cursor_.describe());
            return std::move(query_);
        }
        select();
        clause("from", &QueryParser::from, "expected FROM 'topic/filter'");
        if (cursor_.take_word("where")) where();
        if (cursor_.is_word("group")) group();
        if (cursor_.take_word("having")) having();
        if (cursor_.is_word("with")) with();
        if (!cursor_.at_end()) {
            constexpr std::array<std::string_view, 4> kClauses{"WHERE", "GROUP", "HAVING", "WITH"};
            const bool order = cursor_.is_word("where") || cursor_.is_word("group") || cursor_.is_word("having") || cursor_.is_word("from");
            const std::string hint =
                order ? " here: the order is SELECT, FROM, WHERE, GROUP BY, HAVING" : did_you_mean(cursor_.peek().text, kClauses);
            const std::string_view instead = instead_of(cursor_.peek());
            problems_.error(cursor_.offset(),
                            instead.empty() ? "expected the end of the query, found " + cursor_.describe() + hint : std::string(instead));
        }
        return std::move(query_);
    }

private:
    void clause(std::string_view word, void (QueryParser::*parse)(), const char* missing) {
        if (!cursor_.is_word(word)) {
            problems_.error(cursor_.offset(), std::string(missing) + ", found " + cursor_.describe());
            cursor_.skip_to_clause();
        }
        if (cursor_.take_word(word)) (this->*parse)();
    }

    /// What other dialects have here, and what does the same in a stream.
    [[nodiscard]] static std::string_view instead_of(const Token& token) {
        struct Clause {
            std::string_view word;
            std::string_view message;
        };
        static constexpr std::array kClauses{
            Clause{"order", "there is no ORDER BY: rows go out as they come; array_sort(collect(x)) sorts what a window has taken"},
            Clause{"limit", "there is no LIMIT: every(n), changed(x) and last_hit_time() let fewer rows through"},
            Clause{"union", "there is no UNION: FROM 'a', 'b' reads several topics, and several rules may have one destination"},
            Clause{"timestamp", "there is no TIMESTAMP BY: time of the reading's own stands at the end, as WITH (timestamp = ts)"},
            Clause{"offset", "there is no OFFSET: rows go out as they come"},
            Clause{"fetch", "there is no FETCH: every(n), changed(x) and last_hit_time() let fewer rows through"},
        };
        if (token.kind != Token::Kind::name) return {};
        const auto* found =
            std::find_if(kClauses.begin(), kClauses.end(), [&](const Clause& known) { return same_word(known.word, token.text); });
        return found == kClauses.end() ? std::string_view{} : found->message;
    }

    void select() {
        if (cursor_.is_word("distinct") && !cursor_.next_is_symbol(",") && !cursor_.next_is_symbol(".") && !cursor_.next_is_word("from") &&
            !cursor_.next_is_word("as")) {
            problems_.error(
                cursor_.offset(),
                "there is no SELECT DISTINCT: rows come one by one; WHERE changed(x) lets through what differs from the one before");
            cursor_.advance();
        }
        do {
            item();
        } while (cursor_.take_symbol(","));
        if (query_.items.size() > limits_.columns_max)
            problems_.error(query_.items.back().offset, "more than " + std::to_string(limits_.columns_max) + " columns");
    }

    void item() {
        SelectItem item;
        item.offset = cursor_.offset();
        if (cursor_.is_symbol("*")) {
            if (query_.star) problems_.error(cursor_.offset(), "one * is enough: it stands for all fields of the payload");
            query_.star = true;
            query_.star_offset = cursor_.offset();
            cursor_.advance();
            expect_item_end("");
            return;
        }
        item.expr = expressions_.parse();
        if (item.expr == nullptr) {
            cursor_.skip_to_item();
            return;
        }
        item.name_offset = item.offset;
        if (cursor_.take_word("as")) {
            const Token& name = cursor_.peek();
            item.name_offset = name.offset;
            item.aliased = true;
            if (name.kind == Token::Kind::quoted_name || (name.kind == Token::Kind::name && !is_reserved(name.text))) {
                item.name = name.text;
                cursor_.advance();
            } else {
                problems_.error(name.offset, "expected a name after AS, found " + cursor_.describe() +
                                                 (name.kind == Token::Kind::text ? "; a name goes in double quotes" : ""));
                cursor_.skip_to_item();
            }
        } else {
            item.name = default_name(*item.expr);
        }
        expect_item_end("; to rename a column write AS ");
        query_.items.push_back(std::move(item));
    }

    void expect_item_end(std::string_view before_name) {
        if (cursor_.at_end() || cursor_.is_symbol(",") || cursor_.is_word("from")) return;
        std::string hint;
        if (cursor_.peek().kind == Token::Kind::name || cursor_.peek().kind == Token::Kind::quoted_name) {
            constexpr std::array<std::string_view, 2> kWords{"FROM", "AS"};
            hint = did_you_mean(cursor_.peek().text, kWords);
            if (hint.empty() && !before_name.empty()) hint = std::string(before_name) + cursor_.peek().text;
        }
        problems_.error(cursor_.offset(), "expected ',' or FROM, found " + cursor_.describe() + hint);
        cursor_.skip_to_item();
    }

    [[nodiscard]] std::string default_name(const Expr& expr) const {
        if (expr.kind == Expr::Kind::call) return expr.name;
        if (expr.kind == Expr::Kind::column) {
            for (auto step = expr.path.rbegin(); step != expr.path.rend(); ++step) {
                if (const auto* key = std::get_if<std::string>(&*step)) return *key;
            }
        }
        return std::string(sql_.substr(expr.offset, expr.stop - expr.offset));
    }

    void from() {
        do {
            const Token& token = cursor_.peek();
            if (token.kind != Token::Kind::text) {
                if (cursor_.is_symbol("(") && cursor_.next_is_word("select")) {
                    problems_.error(token.offset,
                                    "there are no subqueries: let a rule of its own publish its rows to a topic, and read that");
                    return cursor_.skip_to_end();
                }
                const bool name = token.kind == Token::Kind::name || token.kind == Token::Kind::quoted_name;
                problems_.error(token.offset, "expected a topic filter in single quotes, found " + cursor_.describe() +
                                                  (name ? "; write FROM '" + token.text + "'" : ""));
                cursor_.skip_to_clause();
                return;
            }
            query_.from.push_back({.filter = token.text, .offset = token.offset});
            cursor_.advance();
        } while (cursor_.take_symbol(","));
        if (!alias(query_.stream)) return cursor_.skip_to_clause();
        while (begins_join(cursor_.peek().text) && cursor_.peek().kind == Token::Kind::name) {
            if (!join()) return cursor_.skip_to_clause();
        }
    }

    [[nodiscard]] static bool begins_join(std::string_view word) {
        constexpr std::array<std::string_view, 8> kWords{"join", "inner", "left", "right", "full", "cross", "natural", "outer"};
        return std::any_of(kWords.begin(), kWords.end(), [word](std::string_view known) { return same_word(word, known); });
    }

    /// [AS] name. Without AS only a name that something follows which can follow a name: others are mistakes of another kind.
    bool alias(std::string& name) {
        const bool announced = cursor_.take_word("as");
        const Token& token = cursor_.peek();
        const bool is_name = token.kind == Token::Kind::quoted_name ||
                             (token.kind == Token::Kind::name && !is_reserved(token.text) && (announced || !begins_join(token.text)));
        if (!announced) {
            constexpr std::array<std::string_view, 14> kBehind{"join", "inner", "left",  "right",  "full", "cross", "natural",
                                                               "on",   "where", "group", "having", "with", "using", "outer"};
            const bool ends = cursor_.next_is_end() || std::any_of(kBehind.begin(), kBehind.end(),
                                                                   [this](std::string_view word) { return cursor_.next_is_word(word); });
            if (!is_name || !ends || cursor_.is_word("on")) return true;
        }
        if (!is_name) {
            problems_.error(token.offset, "expected a name after AS, found " + cursor_.describe());
            return false;
        }
        name = token.text;
        cursor_.advance();
        return true;
    }

    bool join() {
        Join join;
        const std::size_t offset = cursor_.offset();
        const bool inner = cursor_.take_word("inner");
        join.left = !inner && cursor_.take_word("left");
        if (join.left) (void)cursor_.take_word("outer");
        if (!cursor_.take_word("join")) {
            problems_.error(inner || join.left ? cursor_.offset() : offset,
                            inner || join.left ? "expected JOIN, found " + cursor_.describe()
                                               : "there is no " + cursor_.describe() +
                                                     " JOIN: a reading looks for its row in a table, by JOIN "
                                                     "or LEFT JOIN");
            return false;
        }
        const Token& table = cursor_.peek();
        if (table.kind != Token::Kind::quoted_name && (table.kind != Token::Kind::name || is_reserved(table.text))) {
            problems_.error(table.offset, "expected the name of a table, found " + cursor_.describe() +
                                              (table.kind == Token::Kind::text ? "; topics cannot be joined with each other" : ""));
            return false;
        }
        join.table = join.alias = table.text;
        join.offset = table.offset;
        cursor_.advance();
        if (!alias(join.alias)) return false;
        if (!cursor_.take_word("on")) {
            problems_.error(cursor_.offset(), "expected ON " + join.alias + ".key = …, found " + cursor_.describe());
            return false;
        }
        join.on = expressions_.parse();
        const bool good = join.on != nullptr;
        query_.joins.push_back(std::move(join));
        return good;
    }

    void where() {
        query_.where = expressions_.parse();
        if (query_.where == nullptr) cursor_.skip_to_clause();
    }

    void having() {
        query_.having = expressions_.parse();
        if (query_.having == nullptr) cursor_.skip_to_clause();
    }

    void group() {
        query_.grouped = true;
        query_.group_offset = cursor_.offset();
        cursor_.advance();
        if (!cursor_.take_word("by")) {
            problems_.error(cursor_.offset(), "expected BY after GROUP, found " + cursor_.describe());
            cursor_.skip_to_clause();
            return;
        }
        do {
            if (is_window_name(cursor_.peek().text) && cursor_.peek().kind == Token::Kind::name && cursor_.next_is_symbol("(")) {
                if (query_.window) problems_.error(cursor_.offset(), "one window only");
                query_.window.emplace();
                if (!window(*query_.window)) {
                    query_.window.reset();
                    query_.window_failed = true;
                    cursor_.skip_to_clause();
                    return;
                }
                continue;
            }
            ExprPtr expr = expressions_.parse();
            if (expr == nullptr) {
                cursor_.skip_to_item();
                continue;
            }
            query_.group_by.push_back(std::move(expr));
        } while (cursor_.take_symbol(","));
    }

    bool window(WindowCall& call) {
        call.name = lower_case(cursor_.peek().text);
        call.offset = cursor_.offset();
        cursor_.advance();
        cursor_.advance();  // (
        if (call.name != "countwindow") {
            const Token& unit = cursor_.peek();
            if (unit.kind != Token::Kind::name && unit.kind != Token::Kind::text) {
                problems_.error(unit.offset, "expected a unit (ms, ss, mi, hh or dd), found " + cursor_.describe());
                return false;
            }
            call.unit = lower_case(unit.text);
            call.unit_offset = unit.offset;
            cursor_.advance();
            if (!cursor_.expect_symbol(",", problems_)) return false;
        }
        do {
            const Token& token = cursor_.peek();
            std::int64_t number = 0;
            const auto [stop, problem] = std::from_chars(token.text.data(), token.text.data() + token.text.size(), number);
            if (token.kind != Token::Kind::number || problem != std::errc{} || stop != token.text.data() + token.text.size()) {
                problems_.error(token.offset, "expected a whole number, found " + cursor_.describe());
                return false;
            }
            call.numbers.push_back(number);
            call.number_offsets.push_back(token.offset);
            cursor_.advance();
        } while (cursor_.take_symbol(","));
        return cursor_.expect_symbol(")", problems_);
    }

    void with() {
        EventTime time;
        time.offset = cursor_.offset();
        cursor_.advance();
        if (options(time)) {
            if (time.timestamp == nullptr)
                problems_.error(time.offset, "WITH needs a timestamp: WITH (timestamp = ts, lateness = '5s')");
            else
                query_.event_time = std::move(time);
            return;
        }
        while (!cursor_.at_end()) cursor_.advance();
    }

    /// (name = value, …)
    bool options(EventTime& time) {
        if (!cursor_.expect_symbol("(", problems_)) return false;
        do {
            if (cursor_.is_word("timestamp") && time.timestamp == nullptr) {
                cursor_.advance();
                if (!cursor_.expect_symbol("=", problems_)) return false;
                time.timestamp = expressions_.parse();
                if (time.timestamp == nullptr) return false;
            } else if (cursor_.is_word("lateness") && time.lateness.empty()) {
                cursor_.advance();
                if (!cursor_.expect_symbol("=", problems_)) return false;
                const Token& token = cursor_.peek();
                time.lateness_offset = token.offset;
                if (token.kind != Token::Kind::text || token.text.empty()) {
                    problems_.error(token.offset, "expected a time in single quotes, such as '5s', found " + cursor_.describe());
                    return false;
                }
                time.lateness = token.text;
                cursor_.advance();
            } else {
                problems_.error(cursor_.offset(), "expected timestamp = … or lateness = '…', each once, found " + cursor_.describe());
                return false;
            }
        } while (cursor_.take_symbol(","));
        return cursor_.expect_symbol(")", problems_);
    }

    TokenCursor& cursor_;
    ExpressionParser& expressions_;
    std::string_view sql_;
    const Limits& limits_;
    Problems& problems_;
    Query query_;
};

}  // namespace

Query parse(std::string_view sql, const Limits& limits, Problems& problems) {
    TokenCursor cursor(tokenize(sql, problems));
    ExpressionParser expressions(cursor, limits, problems);
    Query query = QueryParser(cursor, expressions, sql, limits, problems).run();
    resolve_names(query, problems);
    return query;
}

}  // namespace sluice::rules
