#include "codec/json/walk.hpp"

#include <charconv>

#include "codec/json/text_scan.hpp"

namespace sluice::json {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

const char* skip_blanks(const char* at, const char* end) {
    while (at < end && is_blank(*at)) ++at;
    return at;
}

/// From an opening quote to behind the closing one.
const char* skip_text(const char* at, const char* end) {
    for (++at; at < end && *at != '"'; ++at) {
        if (*at == '\\') ++at;
    }
    return at < end ? at + 1 : end;
}

const char* skip_value(const char* at, const char* end) {
    if (at < end && *at == '"') return skip_text(at, end);
    std::size_t depth = 0;
    while (at < end) {
        const char c = *at;
        if (c == '"') {
            at = skip_text(at, end);
            continue;
        }
        const bool closes = c == ']' || c == '}';
        if (depth == 0 && (closes || c == ',' || is_blank(c))) return at;
        if (c == '[' || c == '{') ++depth;
        ++at;
        if (closes && --depth == 0) return at;
    }
    return at;
}

}  // namespace

Walk::Walk(std::string_view raw) : at_(raw.data()), end_(raw.data() + raw.size()), is_object_(is_object(raw)) {
    at_ = is_object_ || is_array(raw) ? at_ + 1 : end_;
}

bool Walk::next() {
    at_ = skip_blanks(at_, end_);
    if (at_ < end_ && *at_ == ',') at_ = skip_blanks(at_ + 1, end_);
    if (at_ >= end_ || *at_ == ']' || *at_ == '}') return false;
    if (is_object_) {
        const char* const start = at_ + 1;
        at_ = skip_text(at_, end_);
        key_ = {start, static_cast<std::size_t>(at_ - start - 1)};
        at_ = skip_blanks(at_, end_);  // at the colon
        if (at_ < end_) at_ = skip_blanks(at_ + 1, end_);
    }
    const char* const start = at_;
    at_ = skip_value(at_, end_);
    item_ = {start, static_cast<std::size_t>(at_ - start)};
    return true;
}

Value value_of(std::string_view item) {
    if (item.empty()) return Value::null();
    switch (item.front()) {
        case '"':
            return Value::text(item.substr(1, item.size() - 2));
        case '{':
        case '[':
            return Value::raw(item);
        case 't':
            return Value::boolean(true);
        case 'f':
            return Value::boolean(false);
        case 'n':
            return Value::null();
        default:
            break;
    }
    const char* const end = item.data() + item.size();
    std::int64_t whole = 0;
    const auto as_whole = std::from_chars(item.data(), end, whole);
    if (as_whole.ec == std::errc{} && as_whole.ptr == end && (whole != 0 || item.front() != '-')) return Value::integer(whole);
    double number = 0;
    const auto as_number = std::from_chars(item.data(), end, number);
    if (as_number.ec == std::errc::result_out_of_range) {
        if (!is_near_zero(item)) return Value::beyond_range();
        number = item.front() == '-' ? -0.0 : 0.0;
    }
    return Value::number(number);
}

}  // namespace sluice::json
