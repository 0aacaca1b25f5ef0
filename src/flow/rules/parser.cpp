#include "flow/rules/parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "flow/rules/expression_parser.hpp"

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
            problems_.error(cursor_.offset(), "expected the end of the query, found " + cursor_.describe() + hint);
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

    void select() {
        if (cursor_.is_symbol("*")) {
            query_.star = true;
            query_.star_offset = cursor_.offset();
            cursor_.advance();
            if (cursor_.is_symbol(",")) {
                problems_.not_built(cursor_.offset(), "SELECT * together with other columns is not built yet: name the columns");
                cursor_.skip_to_clause();
            }
            return;
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
            problems_.not_built(cursor_.offset(), "SELECT * together with other columns is not built yet: name the columns");
            cursor_.advance();
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
        if (!cursor_.at_end() && !cursor_.is_symbol(",") && !cursor_.is_word("from")) {
            const bool name = cursor_.peek().kind == Token::Kind::name || cursor_.peek().kind == Token::Kind::quoted_name;
            std::string hint;
            if (name) {
                constexpr std::array<std::string_view, 2> kWords{"FROM", "AS"};
                hint = did_you_mean(cursor_.peek().text, kWords);
                if (hint.empty()) hint = "; to rename a column write AS " + cursor_.peek().text;
            }
            problems_.error(cursor_.offset(), "expected ',' or FROM, found " + cursor_.describe() + hint);
            cursor_.skip_to_item();
        }
        query_.items.push_back(std::move(item));
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
                const bool name = token.kind == Token::Kind::name || token.kind == Token::Kind::quoted_name;
                problems_.error(token.offset, "expected a topic filter in single quotes, found " + cursor_.describe() +
                                                  (name ? "; write FROM '" + token.text + "'" : ""));
                cursor_.skip_to_clause();
                return;
            }
            query_.from.push_back({.filter = token.text, .offset = token.offset});
            cursor_.advance();
        } while (cursor_.take_symbol(","));
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
        query_.with_offset = cursor_.offset();
        problems_.not_built(cursor_.offset(), "WITH (timestamp = …), event time, is not built yet: windows run on the arrival time");
        while (!cursor_.at_end()) cursor_.advance();
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
    return QueryParser(cursor, expressions, sql, limits, problems).run();
}

}  // namespace sluice::rules
