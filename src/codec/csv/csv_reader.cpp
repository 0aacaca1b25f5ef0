#include "codec/csv/csv_reader.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "base/check.hpp"
#include "data/topic.hpp"

namespace sluice::csv {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kSafeNumberBytes = 300;  // below this, digits alone cannot pass 1.8e308

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t skip_digits(std::string_view text, std::size_t at) {
    while (at < text.size() && is_digit(text[at])) ++at;
    return at;
}

/// `,` or `;`, whichever the header has more of outside quotes.
char find_delimiter(std::string_view header) {
    std::size_t commas = 0;
    std::size_t semicolons = 0;
    bool quoted = false;
    for (const char c : header) {
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        commas += c == ',' ? 1 : 0;
        semicolons += c == ';' ? 1 : 0;
    }
    return semicolons > commas ? ';' : ',';
}

/// UTF-8 as MQTT wants it, but with U+0000, which is written escaped.
bool is_utf8(std::string_view text) {
    for (std::size_t at = 0; at <= text.size();) {
        const auto end = std::min(text.find('\0', at), text.size());
        if (!data::is_mqtt_utf8(text.substr(at, end - at))) return false;
        at = end + 1;
    }
    return true;
}

}  // namespace

bool is_number(std::string_view text) {
    std::size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    const std::size_t whole = skip_digits(text, at) - at;
    at += whole;
    std::size_t fraction = 0;
    if (at < text.size() && text[at] == '.') {
        fraction = skip_digits(text, at + 1) - (at + 1);
        at += 1 + fraction;
    }
    if (whole + fraction == 0) return false;
    bool small = text.size() < kSafeNumberBytes;
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        ++at;
        if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
        const std::size_t exponent = skip_digits(text, at) - at;
        if (exponent == 0) return false;
        small = small && exponent <= 2 && text.size() < 200;  // 1e99 with fewer than 200 digits before it
        at += exponent;
    }
    if (at != text.size()) return false;
    return small || std::isfinite(std::strtod(std::string(text).c_str(), nullptr));
}

void append_json_number(base::Bytes& out, std::string_view number) {
    if (number.starts_with('+')) number.remove_prefix(1);
    if (number.starts_with('-')) {
        out.push_back('-');
        number.remove_prefix(1);
    }
    const std::size_t digits = skip_digits(number, 0);
    std::size_t zeros = 0;
    while (zeros + 1 < digits && number[zeros] == '0') ++zeros;
    if (digits == 0)
        out.push_back('0');
    else
        base::append(out, number.substr(zeros, digits - zeros));
    number.remove_prefix(digits);
    const bool bare_point = number.starts_with('.') && (number.size() == 1 || !is_digit(number[1]));
    if (bare_point) number.remove_prefix(1);
    base::append(out, number);
}

void append_json_string(base::Bytes& out, std::string_view text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out.push_back('"');
    std::size_t plain = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto c = static_cast<unsigned char>(text[at]);
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        base::append(out, text.substr(plain, at - plain));
        plain = at + 1;
        out.push_back('\\');
        switch (c) {
            case '"':
            case '\\':
                out.push_back(c);
                break;
            case '\n':
                out.push_back('n');
                break;
            case '\r':
                out.push_back('r');
                break;
            case '\t':
                out.push_back('t');
                break;
            default:
                base::append(out, "u00");
                out.push_back(static_cast<base::Byte>(kDigits[c >> 4]));
                out.push_back(static_cast<base::Byte>(kDigits[c & 15U]));
        }
    }
    base::append(out, text.substr(plain));
    out.push_back('"');
}

void Reader::give(std::string_view bytes) {
    base::check(!finished_, "csv: bytes after finish()");
    buffer_.erase(0, at_);
    scan_at_ -= at_;
    at_ = 0;
    buffer_.append(bytes);
}

Step Reader::fail(std::uint64_t line, std::string problem) {
    failed_ = true;
    line_ = line;
    problem_ = std::move(problem);
    return Step::failed;
}

/// Finds the end of the row at at_: the first line end outside quotes. Goes on where it stopped when there was too little input. Before the
/// header is read, both delimiters count: a quote opens at the start of a field only.
bool Reader::find_row_end() {
    for (; scan_at_ < buffer_.size(); ++scan_at_) {
        const char c = buffer_[scan_at_];
        if (quotes_ == Quotes::inside) {
            if (c == '"') quotes_ = Quotes::closed;  // or the first of a doubled one
            continue;
        }
        if (c == '\n') return true;
        const bool delimits = header_read_ ? c == delimiter_ : c == ',' || c == ';';
        if (delimits)
            quotes_ = Quotes::may_open;
        else if (c == '"' && quotes_ != Quotes::none)
            quotes_ = Quotes::inside;
        else
            quotes_ = Quotes::none;
    }
    return finished_ && at_ < buffer_.size();
}

Step Reader::next() {
    if (failed_) return Step::failed;
    for (;;) {
        if (!header_read_ && at_ == 0 && !mark_seen_) {
            const std::string_view begin = buffer_;
            if (begin.size() < kByteOrderMark.size() && kByteOrderMark.starts_with(begin) && !finished_) return Step::need_input;
            mark_seen_ = true;
            if (begin.starts_with(kByteOrderMark)) at_ = scan_at_ = kByteOrderMark.size();
        }
        if (!find_row_end()) {
            if (buffer_.size() - at_ > kRowBytesMax) return fail(next_line_, too_long());
            if (!finished_) return Step::need_input;
            if (!header_read_) return fail(1, "the file has no header; the first line must name the columns");
            return Step::end;
        }
        const std::size_t end = scan_at_;
        const bool has_newline = end < buffer_.size();
        std::string_view text = std::string_view(buffer_).substr(at_, end - at_);
        const bool open_quote = quotes_ == Quotes::inside;
        line_ = next_line_;
        next_line_ += static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')) + (has_newline ? 1 : 0);
        at_ = scan_at_ = has_newline ? end + 1 : end;
        quotes_ = Quotes::may_open;
        if (text.size() > kRowBytesMax) return fail(line_, too_long());
        if (open_quote) return fail(line_, never_closed());
        if (text.ends_with('\r')) text.remove_suffix(1);
        if (text.empty()) continue;
        return header_read_ ? take_row(text) : take_header(text);
    }
}

std::string Reader::never_closed() { return "a quote (\") is opened and never closed"; }

std::string Reader::too_long() {
    return fmt::format("the row is longer than {} bytes; is a quote never closed, or is this no CSV file?", kRowBytesMax);
}

/// Splits one row into fields_. False after a fail().
bool Reader::split(std::string_view text) {
    if (!is_utf8(text)) {
        fail(line_, "the text is not UTF-8; convert the file first, for example with: iconv -f latin1 -t utf8");
        return false;
    }
    fields_.clear();
    unquoted_.clear();
    unquoted_.reserve(text.size());  // fields view it: it must not move
    for (std::size_t at = 0;;) {
        if (fields_.size() == kColumnsMax) {
            fail(line_, fmt::format("more than {} columns", kColumnsMax));
            return false;
        }
        std::string_view field;
        if (at < text.size() && text[at] == '"') {
            const std::size_t begin = unquoted_.size();
            for (++at;; ++at) {
                const std::size_t quote = text.find('"', at);
                if (quote == std::string_view::npos) {
                    fail(line_, never_closed());
                    return false;
                }
                unquoted_.append(text.substr(at, quote - at));
                at = quote + 1;
                if (at >= text.size() || text[at] != '"') break;
                unquoted_.push_back('"');
            }
            if (at < text.size() && text[at] != delimiter_) {
                fail(line_, fmt::format("field {}: text behind a closing quote; a quote inside quotes is written twice (\"\")",
                                        fields_.size() + 1));
                return false;
            }
            field = std::string_view(unquoted_).substr(begin);
        } else {
            const std::size_t end = std::min(text.find(delimiter_, at), text.size());
            field = text.substr(at, end - at);
            at = end;
        }
        const auto kind = field.empty() ? FieldKind::null : is_number(field) ? FieldKind::number : FieldKind::text;
        fields_.push_back({kind, field});
        if (at == text.size()) return true;
        ++at;
    }
}

Step Reader::take_header(std::string_view text) {
    delimiter_ = find_delimiter(text);
    if (!split(text)) return Step::failed;
    base::Bytes key;
    for (const auto& field : fields_) {
        columns_.push_back(field.text.empty() ? fmt::format("column{}", columns_.size() + 1) : std::string(field.text));
        if (std::find(columns_.begin(), columns_.end() - 1, columns_.back()) != columns_.end() - 1)
            return fail(line_, fmt::format("two columns are called \"{}\"; each needs a name of its own", columns_.back()));
        key.assign({static_cast<base::Byte>(columns_.size() == 1 ? '{' : ',')});
        append_json_string(key, columns_.back());
        key.push_back(':');
        keys_.emplace_back(base::as_text(key));
    }
    header_read_ = true;
    return Step::header;
}

Step Reader::take_row(std::string_view text) {
    if (!split(text)) return Step::failed;
    if (fields_.size() != columns_.size())
        return fail(line_, fmt::format("{} fields where the header has {}", fields_.size(), columns_.size()));
    return Step::row;
}

void Reader::append_json(base::Bytes& out) const {
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        base::append(out, keys_[i]);
        switch (fields_[i].kind) {
            case FieldKind::null:
                base::append(out, "null");
                break;
            case FieldKind::number:
                append_json_number(out, fields_[i].text);
                break;
            case FieldKind::text:
                append_json_string(out, fields_[i].text);
                break;
        }
    }
    out.push_back('}');
}

}  // namespace sluice::csv
