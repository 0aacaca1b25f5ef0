#include "manage/config/source.hpp"

#include <algorithm>
#include <array>

namespace sluice::config {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_space(char c) { return is_blank(c) || c == '\n' || c == '\r'; }

/// Length of the valid UTF-8 sequence at `at`, 0 if there is none (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF).
std::size_t utf8_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) -> unsigned { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U; };
    const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80; };
    const unsigned lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (!tail(1) || !tail(2)) return 0;
        if (lead == 0xE0 && byte(1) < 0xA0) return 0;
        if (lead == 0xED && byte(1) > 0x9F) return 0;
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (!tail(1) || !tail(2) || !tail(3)) return 0;
        if (lead == 0xF0 && byte(1) < 0x90) return 0;
        if (lead == 0xF4 && byte(1) > 0x8F) return 0;
        return 4;
    }
    return 0;
}

/// Bytes in the file and in the value of a double-quoted escape, by the character behind the backslash (YAML 1.2.2, 5.7).
struct Escape {
    std::size_t source;
    std::size_t value;
};

Escape escape_length(std::string_view text, std::size_t backslash, std::string_view value, std::size_t at) {
    const char kind = backslash + 1 < text.size() ? text[backslash + 1] : '\0';
    const auto next_character = [&] {
        std::size_t length = 1;
        while (at + length < value.size() && is_continuation(value[at + length])) ++length;
        return length;
    };
    switch (kind) {
        case 'x':
            return {4, next_character()};
        case 'u':
            return {6, next_character()};
        case 'U':
            return {10, next_character()};
        case 'N':
        case '_':
        case 'L':
        case 'P':
            return {2, next_character()};
        default:
            return {2, 1};
    }
}

}  // namespace

std::optional<std::size_t> first_bad_byte(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = static_cast<unsigned char>(text[at]);
        if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f) return at;
        const std::size_t length = utf8_length(text, at);
        if (length == 0) return at;
        at += length;
    }
    return std::nullopt;
}

Source::Source(std::string_view text) : text_(text), line_starts_{0} {
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\n') line_starts_.push_back(at + 1);
    }
}

Position Source::position(std::size_t offset) const {
    offset = std::min(offset, text_.size());
    const auto line = std::prev(std::upper_bound(line_starts_.begin(), line_starts_.end(), offset));
    std::size_t from = *line;
    Position found{static_cast<std::uint32_t>(line - line_starts_.begin()) + 1, 1};
    if (last_.line == found.line && last_offset_ <= offset) {
        from = last_offset_;
        found = last_;
    }
    for (; from < offset; ++from) found.column += is_continuation(text_[from]) ? 0U : 1U;
    last_offset_ = offset;
    last_ = found;
    return found;
}

std::size_t Source::offset(int line, int column) const {
    if (line < 0 || column < 0) return 0;
    const auto index = static_cast<std::size_t>(line);
    if (index >= line_starts_.size()) return text_.size();
    return std::min(line_starts_[index] + static_cast<std::size_t>(column), text_.size());
}

std::string_view Source::line_at(std::size_t offset) const {
    offset = std::min(offset, text_.size());
    const auto line = std::prev(std::upper_bound(line_starts_.begin(), line_starts_.end(), offset));
    std::string_view rest = text_.substr(*line);
    rest = rest.substr(0, rest.find('\n'));
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    return rest;
}

ScalarStyle Source::style_at(std::size_t offset) const {
    switch (offset < text_.size() ? text_[offset] : '\0') {
        case '|':
            return ScalarStyle::literal;
        case '>':
            return ScalarStyle::folded;
        case '\'':
            return ScalarStyle::single_quoted;
        case '"':
            return ScalarStyle::double_quoted;
        default:
            return ScalarStyle::plain;
    }
}

bool Source::quote_is_closed(std::size_t offset) const {
    const ScalarStyle style = style_at(offset);
    if (style != ScalarStyle::single_quoted && style != ScalarStyle::double_quoted) return true;
    const char quote = text_[offset];
    for (std::size_t at = offset + 1; at < text_.size(); ++at) {
        const bool escape = style == ScalarStyle::double_quoted ? text_[at] == '\\' : text_.substr(at, 2) == "''";
        if (escape) {
            ++at;
        } else if (text_[at] == quote) {
            return true;
        }
    }
    return false;
}

std::vector<std::size_t> Source::align_block(std::size_t at, std::string_view value, ScalarStyle style) const {
    const auto next_line = [&](std::size_t from) {
        const std::size_t end = text_.find('\n', from);
        return end == std::string_view::npos ? text_.size() : end + 1;
    };
    at = next_line(at);
    // The block's indentation: what the first line that is not empty has more than its value (also with an indentation indicator).
    std::size_t first = at;
    while (first < text_.size() && line_at(first).find_first_not_of(" \t") == std::string_view::npos) {
        const std::size_t following = next_line(first);
        if (following == first) break;
        first = following;
    }
    const std::string_view first_line = line_at(first);
    const std::size_t start = std::min(value.find_first_not_of('\n'), value.size());
    std::size_t length = 0;  // folding appends further lines behind the first, so compare from the first visible character on
    const std::size_t visible = std::min(first_line.find_first_not_of(' '), first_line.size());
    while (start + length < value.size() && value[start + length] == ' ') ++length;
    const std::size_t indent = visible >= length ? visible - length : 0;

    const auto skip_indent = [&] {
        for (std::size_t skipped = 0; skipped < indent && at < text_.size() && text_[at] == ' '; ++skipped) ++at;
    };
    std::vector<std::size_t> out;
    out.reserve(value.size());
    skip_indent();
    for (std::size_t i = 0; i < value.size(); ++i) {
        std::size_t line_end = at;
        if (line_end < text_.size() && text_[line_end] == '\r') ++line_end;
        const bool at_end = line_end < text_.size() && text_[line_end] == '\n';
        out.push_back(at);
        if (!at_end) {
            if (at < text_.size()) ++at;
            continue;
        }
        if (style == ScalarStyle::literal || value[i] == ' ') {
            at = line_end + 1;
            skip_indent();
            continue;
        }
        // Folded: a run of breaks in the file is a shorter run in the value; the last of the value takes all that are left.
        const bool last = i + 1 >= value.size() || value[i + 1] != '\n';
        at = line_end + 1;
        while (last && at < text_.size() && line_at(at).find_first_not_of(' ') == std::string_view::npos && next_line(at) != at &&
               next_line(at) < text_.size()) {
            at = next_line(at);
        }
        skip_indent();
    }
    out.push_back(at);
    return out;
}

std::vector<std::size_t> Source::align_flow(std::size_t at, std::string_view value, ScalarStyle style) const {
    if (style != ScalarStyle::plain) ++at;  // the quote
    std::vector<std::size_t> out;
    out.reserve(value.size() + 1);
    const auto skip_spaces = [&] {
        while (at < text_.size() && is_space(text_[at])) ++at;
    };
    const auto here = [&] { return at < text_.size() ? text_[at] : '\0'; };
    for (std::size_t i = 0; i < value.size();) {
        // A fold: spaces with a line break among them stand for one space, or for the line breaks less one.
        std::size_t ahead = at;
        while (ahead < text_.size() && is_blank(text_[ahead])) ++ahead;
        if (ahead < text_.size() && (text_[ahead] == '\n' || text_[ahead] == '\r')) {
            const bool breaks = value[i] == '\n';
            do {
                out.push_back(at);
                ++i;
            } while (breaks && i < value.size() && value[i] == '\n');
            skip_spaces();
            continue;
        }
        if (style == ScalarStyle::double_quoted && here() == '\\') {
            if (at + 1 < text_.size() && (text_[at + 1] == '\n' || text_[at + 1] == '\r')) {  // an escaped line break is nothing
                ++at;
                skip_spaces();
                continue;
            }
            const Escape escape = escape_length(text_, at, value, i);
            out.insert(out.end(), std::min(escape.value, value.size() - i), at);
            i += escape.value;
            at = std::min(at + escape.source, text_.size());
            continue;
        }
        out.push_back(at);
        const bool doubled = style == ScalarStyle::single_quoted && here() == '\'';
        at = std::min(at + (doubled ? 2U : 1U), text_.size());
        ++i;
    }
    out.push_back(at);
    return out;
}

LocatedText Source::locate(std::size_t offset, std::string_view value) const {
    LocatedText located{std::string(value), position(offset), {}};
    const ScalarStyle style = style_at(offset);
    const bool block = style == ScalarStyle::literal || style == ScalarStyle::folded;
    const std::vector<std::size_t> origin = block ? align_block(offset, value, style) : align_flow(offset, value, style);
    for (std::size_t i = 0; i < origin.size(); ++i) {
        const bool follows = i != 0 && origin[i] == origin[i - 1] + 1 && value[i - 1] != '\n';
        if (!follows) located.pieces.push_back({static_cast<std::uint32_t>(i), position(origin[i])});
    }
    return located;
}

}  // namespace sluice::config
