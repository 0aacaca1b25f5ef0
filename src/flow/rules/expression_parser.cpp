#include "flow/rules/expression_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace sluice::rules {
namespace {

constexpr std::array<std::string_view, 25> kReserved{"select", "from", "where",   "group",     "by",   "having", "as",   "and",  "or",
                                                     "not",    "in",   "between", "like",      "is",   "null",   "case", "when", "then",
                                                     "else",   "end",  "over",    "partition", "true", "false",  "with"};
constexpr std::array<std::string_view, 5> kWindows{"countwindow", "tumblingwindow", "hoppingwindow", "slidingwindow", "sessionwindow"};
constexpr std::array<std::string_view, 5> kClauses{"from", "where", "group", "having", "with"};
constexpr std::array<std::string_view, 8> kComparisons{"=", "==", "<>", "!=", "<", "<=", ">", ">="};

bool contains(std::span<const std::string_view> words, std::string_view word) {
    return std::any_of(words.begin(), words.end(), [&](std::string_view known) { return same_word(known, word); });
}

/// Operators from loose to tight; all bind to the left.
struct Level {
    std::array<std::string_view, 3> symbols;
};
constexpr std::array<Level, 3> kLevels{{{{"||", "", ""}}, {{"+", "-", ""}}, {{"*", "/", "%"}}}};

/// Azure Stream Analytics' name for the time of a reading or a window.
bool is_system_timestamp(const json::Path& path) {
    constexpr std::array<std::string_view, 2> kNames{"system", "timestamp"};
    return std::equal(path.begin(), path.end(), kNames.begin(), kNames.end(), [](const auto& step, std::string_view name) {
        const auto* key = std::get_if<std::string>(&step);
        return key != nullptr && same_word(*key, name);
    });
}

}  // namespace

bool is_reserved(std::string_view word) { return contains(kReserved, word); }
bool is_window_name(std::string_view word) { return contains(kWindows, word); }

bool TokenCursor::take_word(std::string_view word) {
    if (!is_word(word)) return false;
    advance();
    return true;
}

bool TokenCursor::take_symbol(std::string_view symbol) {
    if (!is_symbol(symbol)) return false;
    advance();
    return true;
}

bool TokenCursor::expect_symbol(std::string_view symbol, Problems& problems) {
    if (take_symbol(symbol)) return true;
    problems.error(offset(), "expected '" + std::string(symbol) + "', found " + describe());
    return false;
}

std::string TokenCursor::describe() const {
    const Token& token = peek();
    switch (token.kind) {
        case Token::Kind::end:
            return "the end of the query";
        case Token::Kind::quoted_name:
            return "\"" + token.text + "\"";
        default:
            return "'" + token.text + "'";
    }
}

void TokenCursor::skip_to_item() {
    int depth = 0;
    while (!at_end()) {
        if (is_symbol("(") || is_symbol("[")) ++depth;
        if (is_symbol(")") || is_symbol("]")) --depth;
        if (depth <= 0 && is_symbol(",")) return;
        if (depth <= 0 && peek().kind == Token::Kind::name && contains(kClauses, peek().text)) return;
        advance();
    }
}

void TokenCursor::skip_to_clause() {
    int depth = 0;
    while (!at_end()) {
        if (is_symbol("(")) ++depth;
        if (is_symbol(")")) --depth;
        if (depth <= 0 && peek().kind == Token::Kind::name && contains(kClauses, peek().text)) return;
        advance();
    }
}

ExprPtr ExpressionParser::make(Expr::Kind kind, std::size_t offset) const {
    auto expr = std::make_unique<Expr>();
    expr->kind = kind;
    expr->offset = offset;
    return expr;
}

ExprPtr ExpressionParser::finish(ExprPtr expr) const {
    expr->stop = cursor_.last_stop();
    return expr;
}

ExprPtr ExpressionParser::binary(std::string_view name, ExprPtr left, ExprPtr right) const {
    ExprPtr expr = make(Expr::Kind::binary, left->offset);
    expr->name = name;
    expr->args.push_back(std::move(left));
    expr->args.push_back(std::move(right));
    return finish(std::move(expr));
}

ExprPtr ExpressionParser::expected(std::string_view what) {
    problems_.error(cursor_.offset(), "expected " + std::string(what) + ", found " + cursor_.describe());
    return nullptr;
}

ExprPtr ExpressionParser::parse() {
    if (depth_ >= limits_.depth_max) {
        problems_.error(cursor_.offset(), "nested deeper than " + std::to_string(limits_.depth_max) + " levels");
        return nullptr;
    }
    ++depth_;
    ExprPtr expr = parse_or();
    --depth_;
    return expr;
}

ExprPtr ExpressionParser::parse_or() {
    ExprPtr left = parse_and();
    while (left != nullptr && cursor_.take_word("or")) {
        ExprPtr right = parse_and();
        if (right == nullptr) return nullptr;
        left = binary("or", std::move(left), std::move(right));
    }
    return left;
}

ExprPtr ExpressionParser::parse_and() {
    ExprPtr left = parse_not();
    while (left != nullptr && cursor_.take_word("and")) {
        ExprPtr right = parse_not();
        if (right == nullptr) return nullptr;
        left = binary("and", std::move(left), std::move(right));
    }
    return left;
}

ExprPtr ExpressionParser::parse_not() {
    const std::size_t offset = cursor_.offset();
    std::size_t count = 0;
    while (cursor_.take_word("not")) ++count;
    ExprPtr expr = parse_comparison();
    if (expr == nullptr || count == 0) return expr;
    // NOT NOT a is a; but a alone need not be a condition: two at most.
    for (count = count % 2 == 0 ? 2 : 1; count > 0; --count) {
        ExprPtr outer = make(Expr::Kind::not_, offset);
        outer->args.push_back(std::move(expr));
        expr = finish(std::move(outer));
    }
    return expr;
}

ExprPtr ExpressionParser::parse_comparison() {
    ExprPtr left = parse_level(0);
    if (left == nullptr) return nullptr;
    if (cursor_.peek().kind == Token::Kind::symbol && contains(kComparisons, cursor_.peek().text)) {
        std::string symbol = cursor_.peek().text;
        if (symbol == "==") {
            problems_.error(cursor_.offset(), "SQL compares with =, not ==");
            symbol = "=";
        }
        if (symbol == "!=") symbol = "<>";
        cursor_.advance();
        ExprPtr right = parse_level(0);
        if (right == nullptr) return nullptr;
        left = binary(symbol, std::move(left), std::move(right));
        if (cursor_.peek().kind == Token::Kind::symbol && contains(kComparisons, cursor_.peek().text)) {
            const Expr& middle = *left->args.back();
            const bool by_bars = middle.kind == Expr::Kind::binary && middle.name == "||";
            problems_.error(cursor_.offset(), by_bars ? "comparisons are joined with OR: || joins texts"
                                                      : "comparisons cannot be chained: join two of them with AND");
            return nullptr;
        }
        return left;
    }
    return parse_test(std::move(left));
}

ExprPtr ExpressionParser::parse_test(ExprPtr left) {
    const std::size_t offset = left->offset;
    if (cursor_.take_word("is")) {
        const bool is_not = cursor_.take_word("not");
        if (cursor_.take_word("distinct")) {
            if (!cursor_.take_word("from")) return expected("FROM after IS DISTINCT");
            ExprPtr right = parse_level(0);
            if (right == nullptr) return nullptr;
            return binary(is_not ? "is not distinct from" : "is distinct from", std::move(left), std::move(right));
        }
        ExprPtr expr = make(Expr::Kind::is_null, offset);
        expr->negated = is_not;
        if (!cursor_.take_word("null")) return expected("NULL or DISTINCT FROM after IS");
        expr->args.push_back(std::move(left));
        return finish(std::move(expr));
    }
    const bool negated = cursor_.take_word("not");
    if (cursor_.take_word("between")) {
        ExprPtr expr = make(Expr::Kind::between, offset);
        expr->negated = negated;
        expr->args.push_back(std::move(left));
        expr->args.push_back(parse_level(0));
        if (expr->args.back() == nullptr) return nullptr;
        if (!cursor_.take_word("and")) return expected("AND in BETWEEN … AND …");
        expr->args.push_back(parse_level(0));
        if (expr->args.back() == nullptr) return nullptr;
        return finish(std::move(expr));
    }
    if (cursor_.take_word("in")) {
        ExprPtr expr = make(Expr::Kind::in, offset);
        expr->negated = negated;
        expr->args.push_back(std::move(left));
        if (!cursor_.expect_symbol("(", problems_)) return nullptr;
        do {
            expr->args.push_back(parse());
            if (expr->args.back() == nullptr) return nullptr;
        } while (cursor_.take_symbol(","));
        if (!cursor_.expect_symbol(")", problems_)) return nullptr;
        return finish(std::move(expr));
    }
    if (cursor_.take_word("like")) {
        ExprPtr expr = make(Expr::Kind::like, offset);
        expr->negated = negated;
        expr->args.push_back(std::move(left));
        expr->args.push_back(parse_level(0));
        if (expr->args.back() == nullptr) return nullptr;
        if (cursor_.take_word("escape")) {
            expr->args.push_back(parse_level(0));
            if (expr->args.back() == nullptr) return nullptr;
        }
        return finish(std::move(expr));
    }
    if (negated) return expected("BETWEEN, IN or LIKE after NOT");
    return left;
}

ExprPtr ExpressionParser::parse_level(std::size_t level) {
    if (level == kLevels.size()) return parse_unary();
    ExprPtr left = parse_level(level + 1);
    while (left != nullptr && cursor_.peek().kind == Token::Kind::symbol && contains(kLevels[level].symbols, cursor_.peek().text)) {
        const std::string symbol = cursor_.peek().text;
        cursor_.advance();
        ExprPtr right = parse_level(level + 1);
        if (right == nullptr) return nullptr;
        left = binary(symbol, std::move(left), std::move(right));
    }
    return left;
}

ExprPtr ExpressionParser::parse_unary() {
    const std::size_t offset = cursor_.offset();
    bool negative = false;
    bool any = false;
    while (cursor_.is_symbol("-") || cursor_.is_symbol("+")) {
        negative = negative != cursor_.is_symbol("-");
        any = true;
        cursor_.advance();
    }
    // The least whole number has no positive counterpart.
    const bool is_least = cursor_.peek().kind == Token::Kind::number && cursor_.peek().text == "9223372036854775808";
    ExprPtr expr = parse_primary();
    if (expr == nullptr || !any || !negative) return expr;
    if (is_least && expr->kind == Expr::Kind::number) {
        expr->kind = Expr::Kind::integer;
        expr->whole = INT64_MIN;
        expr->offset = offset;
        return expr;
    }
    if (expr->kind == Expr::Kind::integer && expr->whole != INT64_MIN) {
        expr->whole = -expr->whole;
        expr->offset = offset;
        return expr;
    }
    if (expr->kind == Expr::Kind::number) {
        expr->real = -expr->real;
        expr->offset = offset;
        return expr;
    }
    ExprPtr outer = make(Expr::Kind::negate, offset);
    outer->args.push_back(std::move(expr));
    return finish(std::move(outer));
}

ExprPtr ExpressionParser::parse_primary() {
    const Token& token = cursor_.peek();
    const std::size_t offset = token.offset;
    // A chain a + a + … is a deep tree as well; this bounds both.
    if (++leaves_ > limits_.nodes_max) {
        problems_.error(offset, "more than " + std::to_string(limits_.nodes_max) + " operands");
        return nullptr;
    }
    switch (token.kind) {
        case Token::Kind::number:
            return parse_number();
        case Token::Kind::text: {
            ExprPtr expr = make(Expr::Kind::text, offset);
            expr->name = token.text;
            cursor_.advance();
            return finish(std::move(expr));
        }
        case Token::Kind::quoted_name:
            return parse_column();
        case Token::Kind::symbol: {
            if (!cursor_.take_symbol("(")) return expected("an expression");
            ExprPtr expr = parse();
            if (expr == nullptr || !cursor_.expect_symbol(")", problems_)) return nullptr;
            expr->offset = offset;
            return finish(std::move(expr));
        }
        case Token::Kind::end:
            return expected("an expression");
        case Token::Kind::name:
            break;
    }
    if (cursor_.take_word("null")) return finish(make(Expr::Kind::null, offset));
    if (cursor_.is_word("true") || cursor_.is_word("false")) {
        ExprPtr expr = make(Expr::Kind::boolean, offset);
        expr->truth = cursor_.is_word("true");
        cursor_.advance();
        return finish(std::move(expr));
    }
    if (cursor_.is_word("case")) return parse_case();
    if ((cursor_.is_word("cast") || cursor_.is_word("try_cast")) && cursor_.next_is_symbol("(")) return parse_cast();
    if (cursor_.is_word("select")) {
        problems_.error(offset, "there are no subqueries: let a rule of its own publish its rows to a topic, and read that");
        cursor_.skip_to_end();
        return nullptr;
    }
    if (is_reserved(token.text)) {
        problems_.error(offset, "expected an expression, found " + cursor_.describe() + "; a column of this name goes in double quotes");
        return nullptr;
    }
    return cursor_.next_is_symbol("(") ? parse_call() : parse_column();
}

ExprPtr ExpressionParser::parse_number() {
    const Token& token = cursor_.peek();
    const char* first = token.text.data();
    const char* last = first + token.text.size();
    ExprPtr expr = make(Expr::Kind::integer, token.offset);
    const auto whole = std::from_chars(first, last, expr->whole);
    if (whole.ec != std::errc{} || whole.ptr != last) {
        expr->kind = Expr::Kind::number;
        // from_chars does not take ".5"
        const std::string padded = "0" + token.text;
        const auto real = std::from_chars(padded.data(), padded.data() + padded.size(), expr->real);
        if (real.ec != std::errc{}) problems_.error(token.offset, "a number beyond the range of a 64-bit float");
    }
    cursor_.advance();
    return finish(std::move(expr));
}

ExprPtr ExpressionParser::parse_case() {
    ExprPtr expr = make(Expr::Kind::case_, cursor_.offset());
    cursor_.advance();
    if (!cursor_.is_word("when")) {
        expr->has_operand = true;
        expr->args.push_back(parse());
        if (expr->args.back() == nullptr) return nullptr;
    }
    if (!cursor_.is_word("when")) return expected("WHEN");
    while (cursor_.take_word("when")) {
        expr->args.push_back(parse());
        if (expr->args.back() == nullptr) return nullptr;
        if (!cursor_.take_word("then")) return expected("THEN");
        expr->args.push_back(parse());
        if (expr->args.back() == nullptr) return nullptr;
    }
    if (cursor_.take_word("else")) {
        expr->has_else = true;
        expr->args.push_back(parse());
        if (expr->args.back() == nullptr) return nullptr;
    }
    if (!cursor_.take_word("end")) return expected("WHEN, ELSE or END");
    return finish(std::move(expr));
}

ExprPtr ExpressionParser::parse_cast() {
    ExprPtr expr = make(Expr::Kind::cast, cursor_.offset());
    expr->negated = cursor_.is_word("try_cast");
    cursor_.advance();
    cursor_.advance();
    expr->args.push_back(parse());
    if (expr->args.back() == nullptr) return nullptr;
    // CAST(x AS type), and eKuiper's cast(x, 'type')
    if (!cursor_.take_word("as") && !cursor_.take_symbol(",")) return expected("AS and a type");
    const Token& type = cursor_.peek();
    constexpr std::string_view kWanted = "a type: double, integer, text, boolean, array or record";
    if (type.kind != Token::Kind::name && type.kind != Token::Kind::text) return expected(kWanted);
    const std::string name = lower_case(type.text.substr(0, type.text.find('(')));
    constexpr std::array<std::array<std::string_view, 8>, 6> kTypes{
        {{"double", "float", "real", "number", "numeric", "decimal", "float8", "float4"},
         {"integer", "int", "bigint", "long", "smallint", "int64", "int4", "int8"},
         {"text", "string", "varchar", "nvarchar", "char", "nchar", "", ""},
         {"boolean", "bool", "bit", "", "", "", "", ""},
         {"array", "", "", "", "", "", "", ""},
         {"record", "object", "struct", "", "", "", "", ""}}};
    const auto* found = std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& names) { return contains(names, name); });
    if (name.empty() || found == kTypes.end()) return expected(kWanted);
    expr->name = found->front();
    cursor_.advance();
    // A size says nothing here: nvarchar(max), decimal(10, 2).
    if (cursor_.take_symbol("(")) {
        while (cursor_.peek().kind == Token::Kind::number || cursor_.is_word("max") || cursor_.is_symbol(",")) cursor_.advance();
        if (!cursor_.expect_symbol(")", problems_)) return nullptr;
    }
    if (!cursor_.expect_symbol(")", problems_)) return nullptr;
    return finish(std::move(expr));
}

ExprPtr ExpressionParser::parse_call() {
    ExprPtr expr = make(Expr::Kind::call, cursor_.offset());
    expr->name = lower_case(cursor_.peek().text);
    cursor_.advance();
    cursor_.advance();
    if (cursor_.is_symbol("*")) {
        expr->args.push_back(make(Expr::Kind::star, cursor_.offset()));
        cursor_.advance();
    } else if (!cursor_.is_symbol(")")) {
        if (cursor_.is_word("distinct")) {
            problems_.error(cursor_.offset(),
                            "there is no DISTINCT inside a function: array_length(array_distinct(collect(x))) counts different values");
            return nullptr;
        }
        do {
            expr->args.push_back(parse());
            if (expr->args.back() == nullptr) return nullptr;
        } while (cursor_.take_symbol(","));
    }
    if (!cursor_.take_symbol(")")) return expected("',' or ')'");
    if (cursor_.is_word("over") && !parse_over(*expr)) return nullptr;
    return finish(std::move(expr));
}

bool ExpressionParser::parse_over(Expr& call) {
    call.over = std::make_unique<Over>();
    call.over->offset = cursor_.offset();
    cursor_.advance();
    if (!cursor_.expect_symbol("(", problems_)) return false;
    if (cursor_.take_word("partition")) {
        if (!cursor_.take_word("by")) return expected("BY after PARTITION") != nullptr;
        do {
            call.over->partition.push_back(parse());
            if (call.over->partition.back() == nullptr) return false;
        } while (cursor_.take_symbol(","));
    }
    if (cursor_.is_word("rows")) {
        call.over->rows_offset = cursor_.offset();
        cursor_.advance();
        const Token& token = cursor_.peek();
        std::int64_t rows = 0;
        const auto [stop, problem] = std::from_chars(token.text.data(), token.text.data() + token.text.size(), rows);
        if (token.kind != Token::Kind::number || problem != std::errc{} || stop != token.text.data() + token.text.size())
            return expected("a whole number after ROWS") != nullptr;
        cursor_.advance();
        if (!cursor_.take_word("preceding")) return expected("PRECEDING") != nullptr;
        call.over->preceding = rows;
    }
    if (cursor_.take_symbol(")")) return true;
    return expected(call.over->partition.empty() && !call.over->preceding ? "PARTITION BY" : "')'") != nullptr;
}

ExprPtr ExpressionParser::parse_column() {
    ExprPtr expr = make(Expr::Kind::column, cursor_.offset());
    expr->path.emplace_back(cursor_.peek().text);
    cursor_.advance();
    for (;;) {
        if (cursor_.take_symbol(".")) {
            const Token& token = cursor_.peek();
            if (token.kind != Token::Kind::name && token.kind != Token::Kind::quoted_name) return expected("a field name after '.'");
            expr->path.emplace_back(token.text);
            cursor_.advance();
        } else if (cursor_.is_symbol("(") && is_system_timestamp(expr->path)) {
            problems_.error(expr->offset,
                            "there is no System.Timestamp(): timestamp() is the arrival of a reading, window_end() the end of a window; "
                            "time of the reading's own is WITH (timestamp = ts) behind the query");
            return nullptr;
        } else if (cursor_.take_symbol("[")) {
            const Token& token = cursor_.peek();
            std::uint32_t index = 0;
            const auto [stop, problem] = std::from_chars(token.text.data(), token.text.data() + token.text.size(), index);
            if (token.kind != Token::Kind::number || problem != std::errc{} || stop != token.text.data() + token.text.size())
                return expected("an index (0, 1, …) into an array");
            expr->path.emplace_back(index);
            cursor_.advance();
            if (!cursor_.expect_symbol("]", problems_)) return nullptr;
        } else {
            return finish(std::move(expr));
        }
    }
}

}  // namespace sluice::rules
