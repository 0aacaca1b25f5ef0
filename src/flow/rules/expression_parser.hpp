// Expressions of the SQL dialect, and the cursor over tokens that both parsers use.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "flow/rules/ast.hpp"
#include "flow/rules/lexer.hpp"
#include "flow/rules/plan.hpp"
#include "flow/rules/problems.hpp"

namespace sluice::rules {

/// Words that cannot be bare names of columns.
[[nodiscard]] bool is_reserved(std::string_view word);
[[nodiscard]] bool is_window_name(std::string_view word);

class TokenCursor {
public:
    explicit TokenCursor(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

    [[nodiscard]] const Token& peek() const { return tokens_[at_]; }
    [[nodiscard]] std::size_t offset() const { return peek().offset; }
    /// Behind the token before this one.
    [[nodiscard]] std::size_t last_stop() const { return at_ == 0 ? 0 : tokens_[at_ - 1].stop; }
    [[nodiscard]] bool at_end() const { return peek().kind == Token::Kind::end; }
    void advance() {
        if (!at_end()) ++at_;
    }

    [[nodiscard]] bool is_word(std::string_view word) const { return peek().kind == Token::Kind::name && same_word(peek().text, word); }
    [[nodiscard]] bool is_symbol(std::string_view symbol) const { return peek().kind == Token::Kind::symbol && peek().text == symbol; }
    [[nodiscard]] bool next_is_symbol(std::string_view symbol) const {
        return at_ + 1 < tokens_.size() && tokens_[at_ + 1].kind == Token::Kind::symbol && tokens_[at_ + 1].text == symbol;
    }
    [[nodiscard]] bool next_is_word(std::string_view word) const {
        return at_ + 1 < tokens_.size() && tokens_[at_ + 1].kind == Token::Kind::name && same_word(tokens_[at_ + 1].text, word);
    }
    [[nodiscard]] bool next_is_end() const { return at_ + 1 >= tokens_.size() || tokens_[at_ + 1].kind == Token::Kind::end; }
    bool take_word(std::string_view word);
    bool take_symbol(std::string_view symbol);
    bool expect_symbol(std::string_view symbol, Problems& problems);

    /// The current token, for messages: "'x'", "the end of the query".
    [[nodiscard]] std::string describe() const;

    /// To the next ',' outside of parentheses, or the next clause, or the end.
    void skip_to_item();
    void skip_to_end() {
        while (!at_end()) advance();
    }
    /// To FROM, WHERE, GROUP, HAVING or WITH outside of parentheses, or the end.
    void skip_to_clause();

private:
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
};

class ExpressionParser {
public:
    ExpressionParser(TokenCursor& cursor, const Limits& limits, Problems& problems)
        : cursor_(cursor), limits_(limits), problems_(problems) {}

    /// nullptr after a mistake, which is reported.
    [[nodiscard]] ExprPtr parse();

private:
    [[nodiscard]] ExprPtr parse_or();
    [[nodiscard]] ExprPtr parse_and();
    [[nodiscard]] ExprPtr parse_not();
    [[nodiscard]] ExprPtr parse_comparison();
    [[nodiscard]] ExprPtr parse_test(ExprPtr left);
    [[nodiscard]] ExprPtr parse_level(std::size_t level);
    [[nodiscard]] ExprPtr parse_unary();
    [[nodiscard]] ExprPtr parse_primary();
    [[nodiscard]] ExprPtr parse_number();
    [[nodiscard]] ExprPtr parse_case();
    [[nodiscard]] ExprPtr parse_cast();
    [[nodiscard]] ExprPtr parse_call();
    [[nodiscard]] bool parse_over(Expr& call);
    [[nodiscard]] ExprPtr parse_column();

    [[nodiscard]] ExprPtr make(Expr::Kind kind, std::size_t offset) const;
    [[nodiscard]] ExprPtr binary(std::string_view name, ExprPtr left, ExprPtr right) const;
    [[nodiscard]] ExprPtr finish(ExprPtr expr) const;
    [[nodiscard]] ExprPtr expected(std::string_view what);

    TokenCursor& cursor_;
    const Limits& limits_;
    Problems& problems_;
    std::size_t depth_ = 0;
    std::size_t leaves_ = 0;
};

}  // namespace sluice::rules
