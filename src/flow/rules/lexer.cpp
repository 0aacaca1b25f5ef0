#include "flow/rules/lexer.hpp"

#include <array>

namespace sluice::rules {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
constexpr bool is_name(char c) { return is_name_start(c) || is_digit(c); }

/// Longest first.
constexpr std::array<std::string_view, 20> kSymbols{"<>", "<=", ">=", "!=", "||", "==", "(", ")", "[", "]",
                                                    ",",  ".",  "+",  "-",  "*",  "/",  "%", "<", ">", "="};

class Lexer {
public:
    Lexer(std::string_view sql, Problems& problems) : sql_(sql), problems_(problems) {}

    std::vector<Token> run() {
        std::vector<Token> tokens;
        for (;;) {
            skip_space();
            if (at_ >= sql_.size()) break;
            Token token;
            token.offset = at_;
            if (next(token)) {
                token.stop = at_;
                tokens.push_back(std::move(token));
            }
        }
        Token end;
        end.offset = end.stop = sql_.size();
        tokens.push_back(std::move(end));
        return tokens;
    }

private:
    [[nodiscard]] char peek(std::size_t ahead = 0) const { return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0'; }

    void skip_space() {
        while (at_ < sql_.size()) {
            const char c = sql_[at_];
            if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
                ++at_;
            } else if (c == '-' && peek(1) == '-') {
                at_ = std::min(sql_.find('\n', at_), sql_.size());
            } else if (c == '/' && peek(1) == '*') {
                const std::size_t stop = sql_.find("*/", at_ + 2);
                if (stop == std::string_view::npos) problems_.error(at_, "this comment has no end: expected */");
                at_ = stop == std::string_view::npos ? sql_.size() : stop + 2;
            } else {
                break;
            }
        }
    }

    bool next(Token& token) {
        const char c = sql_[at_];
        if (is_name_start(c)) {
            while (at_ < sql_.size() && is_name(sql_[at_])) ++at_;
            token.kind = Token::Kind::name;
            token.text = sql_.substr(token.offset, at_ - token.offset);
            return true;
        }
        if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number(token);
        if (c == '\'' || c == '"') return quoted(token, c);
        for (const std::string_view symbol : kSymbols) {
            if (sql_.substr(at_, symbol.size()) == symbol) {
                token.kind = Token::Kind::symbol;
                token.text = symbol;
                at_ += symbol.size();
                return true;
            }
        }
        if (c == '&' && peek(1) == '&') {  // read as what it means, so that nothing else is said of it
            problems_.error(token.offset, "SQL has AND, not &&");
            token.kind = Token::Kind::name;
            token.text = "and";
            at_ += 2;
            return true;
        }
        ++at_;
        if (c == ';') {  // a statement may end with one
            skip_space();
            if (at_ < sql_.size()) problems_.error(token.offset, "one statement only: nothing may follow ';'");
            at_ = sql_.size();
            return false;
        }
        problems_.error(token.offset, std::string("a character that SQL does not know: '") + c + "'" + (c == '!' ? "; SQL has NOT" : ""));
        return false;
    }

    bool number(Token& token) {
        while (is_digit(peek())) ++at_;
        if (peek() == '.') {
            ++at_;
            while (is_digit(peek())) ++at_;
        }
        if ((peek() == 'e' || peek() == 'E') && (is_digit(peek(1)) || ((peek(1) == '+' || peek(1) == '-') && is_digit(peek(2))))) {
            at_ += 2;
            while (is_digit(peek())) ++at_;
        }
        token.kind = Token::Kind::number;
        token.text = sql_.substr(token.offset, at_ - token.offset);
        if (is_name(peek())) {
            while (is_name(peek())) ++at_;
            problems_.error(token.offset, "not a number: '" + std::string(sql_.substr(token.offset, at_ - token.offset)) +
                                              "'; a name that begins with a digit goes in double quotes");
        }
        return true;
    }

    bool quoted(Token& token, char quote) {
        token.kind = quote == '\'' ? Token::Kind::text : Token::Kind::quoted_name;
        for (++at_; at_ < sql_.size(); ++at_) {
            if (sql_[at_] != quote) {
                token.text += sql_[at_];
            } else if (peek(1) == quote) {
                token.text += quote;
                ++at_;
            } else {
                ++at_;
                if (token.kind == Token::Kind::quoted_name && token.text.empty()) problems_.error(token.offset, "an empty name");
                return true;
            }
        }
        problems_.error(token.offset,
                        quote == '\'' ? "this text has no end: expected a closing '" : "this name has no end: expected a closing \"");
        return true;
    }

    std::string_view sql_;
    Problems& problems_;
    std::size_t at_ = 0;
};

}  // namespace

std::vector<Token> tokenize(std::string_view sql, Problems& problems) { return Lexer(sql, problems).run(); }

}  // namespace sluice::rules
