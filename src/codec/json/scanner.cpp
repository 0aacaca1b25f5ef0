#include "codec/json/scanner.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.hpp"
#include "codec/json/text_scan.hpp"

namespace sluice::json {
namespace {

using base::Errc;

constexpr bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

/// Powers of ten that a double holds exactly (Clinger, PLDI 1990): with a mantissa up to 2^53 one multiplication or division is correct.
constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr int kPowersExact = 22;
constexpr std::uint64_t kMantissaExact = std::uint64_t{1} << 53;

/// The state of one pass. `at` never passes `end` by more than the padding, because every step checks before it goes on.
class Pass {
public:
    Pass(std::string_view document, const FieldSet& fields, std::span<Value> slots, base::Bytes& unescaped, unsigned depth_max)
        : at_(document.data()),
          end_(document.data() + document.size()),
          fields_(fields),
          slots_(slots),
          unescaped_(unescaped),
          depth_left_(depth_max) {}

    base::Result<Top> run() {
        skip_space();
        if (at_ >= end_) return base::Error{Errc::malformed};
        const Top top = *at_ == '{' ? Top::object : *at_ == '[' ? Top::array : Top::scalar;
        if (!value(top == Top::object ? &fields_.root() : nullptr)) return base::Error{error_};
        skip_space();
        if (at_ != end_) return base::Error{Errc::malformed};
        return top;
    }

private:
    void skip_space() {
        if (static_cast<unsigned char>(*at_) > ' ') [[likely]]
            return;
        while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
    }

    bool fail(Errc code = Errc::malformed) {
        error_ = code;
        return false;
    }

    void store(const FieldSet::Node* node, Value value) {
        if (node != nullptr && node->slot >= 0) slots_[static_cast<std::size_t>(node->slot)] = value;
    }

    /// A key may come again with another value: what the first one filled in below it is void.
    void clear(const FieldSet::Node& node) {
        if (node.slot >= 0) slots_[static_cast<std::size_t>(node.slot)] = Value{};
        for (const auto& [key, child] : node.keys) clear(fields_.at(child));
        for (const auto& [index, child] : node.items) clear(fields_.at(child));
    }

    bool value(const FieldSet::Node* node) {
        if (at_ >= end_) return fail();
        switch (*at_) {
            case '"': {
                std::string_view text;
                bool escaped = false;
                if (!string(text, escaped)) return false;
                if (node != nullptr && node->slot >= 0) store(node, Value::text(escaped ? plain(text) : text));
                return true;
            }
            case '{':
            case '[': {
                if (depth_left_ == 0) return fail(Errc::too_deep);
                --depth_left_;
                const char* start = at_;
                if (!(*at_ == '{' ? object(node) : array(node))) return false;
                ++depth_left_;
                store(node, Value::raw({start, static_cast<std::size_t>(at_ - start)}));
                return true;
            }
            case 't':
                return literal("true", Value::boolean(true), node);
            case 'n':
                return literal("null", Value::null(), node);
            case 'f':
                return literal("false", Value::boolean(false), node);
            default:
                return number(node);
        }
    }

    bool literal(std::string_view word, Value value, const FieldSet::Node* node) {
        if (static_cast<std::size_t>(end_ - at_) < word.size() || std::memcmp(at_, word.data(), word.size()) != 0) return fail();
        at_ += word.size();
        store(node, value);
        return true;
    }

    bool object(const FieldSet::Node* node) {
        ++at_;
        skip_space();
        if (at_ < end_ && *at_ == '}') {
            ++at_;
            return true;
        }
        for (;;) {
            if (at_ >= end_ || *at_ != '"') return fail();
            std::string_view key;
            bool escaped = false;
            if (!string(key, escaped)) return false;
            skip_space();
            if (at_ >= end_ || *at_ != ':') return fail();
            ++at_;
            skip_space();
            const FieldSet::Node* child = nullptr;
            if (node != nullptr) {
                child = fields_.child(*node, escaped ? plain(key) : key);
                if (child != nullptr && child->inner()) clear(*child);
            }
            if (!value(child)) return false;
            skip_space();
            if (at_ >= end_) return fail();
            const char next = *at_++;
            if (next == '}') return true;
            if (next != ',') return fail();
            skip_space();
        }
    }

    bool array(const FieldSet::Node* node) {
        ++at_;
        skip_space();
        if (at_ < end_ && *at_ == ']') {
            ++at_;
            return true;
        }
        const bool wanted = node != nullptr && !node->items.empty();
        for (std::uint32_t index = 0;; ++index) {
            if (!value(wanted ? fields_.child(*node, index) : nullptr)) return false;
            skip_space();
            if (at_ >= end_) return fail();
            const char next = *at_++;
            if (next == ']') return true;
            if (next != ',') return fail();
            skip_space();
        }
    }

    /// At the opening quote; gives what is between the quotes.
    bool string(std::string_view& text, bool& escaped) {
        const char* start = ++at_;
        const char* stop = next_special(start, end_);
        if (stop < end_ && *stop == '"') [[likely]] {
            text = {start, static_cast<std::size_t>(stop - start)};
            at_ = stop + 1;
            return true;
        }
        at_ = stop;
        return special_string(start, text, escaped);
    }

    /// The rest of a string that has more than plain ASCII in it.
    [[gnu::noinline]] bool special_string(const char* start, std::string_view& text, bool& escaped) {
        for (;; at_ = next_special(at_, end_)) {
            if (at_ >= end_) return fail();
            const char c = *at_;
            if (c == '"') {
                text = {start, static_cast<std::size_t>(at_ - start)};
                ++at_;
                return true;
            }
            std::size_t length = 0;
            if (c == '\\') {
                escaped = true;
                length = escape_length(at_, end_);
            } else if (static_cast<unsigned char>(c) >= 0x80) {
                length = utf8_length(at_, end_);
            }
            if (length == 0) return fail();  // control characters, and what is no escape and no UTF-8
            at_ += length;
        }
    }

    /// The unescaped text, in the scanner's buffer, which has room for as many bytes as the document has and 8 more.
    [[gnu::noinline]] std::string_view plain(std::string_view text) {
        const std::size_t start = unescaped_.size();
        unescaped_.resize(start + text.size());
        char* to = reinterpret_cast<char*>(unescaped_.data() + start);
        const char* stop = unescape(text, to);
        unescaped_.resize(start + static_cast<std::size_t>(stop - to));
        return {to, static_cast<std::size_t>(stop - to)};
    }

    bool number(const FieldSet::Node* node) {
        const char* start = at_;
        const bool negative = *at_ == '-';
        if (negative) ++at_;
        const char* digits_start = at_;
        std::uint64_t mantissa = 0;
        if (*at_ == '0')
            ++at_;
        else
            at_ = take_digits(at_, end_, mantissa);
        if (at_ == digits_start || at_ > end_) return fail();
        std::size_t digits = static_cast<std::size_t>(at_ - digits_start);
        long exponent = 0;
        bool plain_integer = true;
        if (at_ < end_ && *at_ == '.') {
            plain_integer = false;
            const char* fraction = ++at_;
            at_ = take_digits(at_, end_, mantissa);
            if (at_ == fraction) return fail();
            digits += static_cast<std::size_t>(at_ - fraction);
            exponent = fraction - at_;
        }
        if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
            plain_integer = false;
            if (!exponent_part(exponent)) return false;
        }
        if (digits <= 18) [[likely]] {  // the mantissa is exact
            if (plain_integer && (mantissa != 0 || !negative)) {
                const auto whole = static_cast<std::int64_t>(mantissa);
                store(node, Value::integer(negative ? -whole : whole));
                return true;
            }
            if (mantissa <= kMantissaExact && exponent >= -kPowersExact && exponent <= kPowersExact) {
                if (node == nullptr) return true;
                const double scaled =
                    exponent < 0 ? static_cast<double>(mantissa) / kPowers[-exponent] : static_cast<double>(mantissa) * kPowers[exponent];
                store(node, Value::number(negative ? -scaled : scaled));
                return true;
            }
        }
        return slow_number(start, plain_integer, node);
    }

    bool exponent_part(long& exponent) {
        ++at_;
        const bool minus = at_ < end_ && *at_ == '-';
        if (at_ < end_ && (*at_ == '-' || *at_ == '+')) ++at_;
        const char* first = at_;
        long shift = 0;
        for (; at_ < end_ && is_digit(*at_); ++at_) {
            if (shift < 100'000'000) shift = shift * 10 + (*at_ - '0');  // further digits change nothing: out of range either way
        }
        if (at_ == first) return fail();
        exponent += minus ? -shift : shift;
        return true;
    }

    /// Many digits or a far exponent: by the standard library, which rounds correctly.
    [[gnu::noinline]] bool slow_number(const char* start, bool plain_integer, const FieldSet::Node* node) {
        if (plain_integer) {
            std::int64_t whole = 0;
            const auto [stop, problem] = std::from_chars(start, at_, whole);
            if (problem == std::errc{} && stop == at_ && (whole != 0 || *start != '-')) {
                store(node, Value::integer(whole));
                return true;
            }
        }
        double result = 0;
        const auto [stop, problem] = std::from_chars(start, at_, result);
        if (problem == std::errc::result_out_of_range) {
            // Too small is zero; too large is not a number that we could hold. libstdc++ does not say which it was.
            if (!is_near_zero({start, static_cast<std::size_t>(at_ - start)})) {
                store(node, Value::beyond_range());
                return true;
            }
            result = *start == '-' ? -0.0 : 0.0;
        } else if (problem != std::errc{} || stop != at_) {
            return fail();
        }
        store(node, Value::number(result));
        return true;
    }

    const char* at_;
    const char* end_;
    const FieldSet& fields_;
    std::span<Value> slots_;
    base::Bytes& unescaped_;
    unsigned depth_left_;
    Errc error_ = Errc::malformed;
};

}  // namespace

Scanner::Scanner(const ScanLimits& limits) : limits_(limits) {
    base::check(limits.depth_max <= ScanLimits::kDepthMax, "json: depth limit above what the stack is planned for");
}

base::Result<Top> Scanner::scan(base::ByteView document, const FieldSet& fields, std::span<Value> slots) {
    if (document.size() > limits_.bytes_max) return base::Error{Errc::too_large};
    for (const std::uint32_t slot : fields.used()) slots[slot] = Value{};
    // Room for every escaped string of the document, so that texts do not move while others are added.
    unescaped_.clear();
    if (unescaped_.capacity() < document.size() + sizeof(std::uint64_t)) unescaped_.reserve(document.size() + sizeof(std::uint64_t));
    return Pass(base::as_text(document), fields, slots, unescaped_, limits_.depth_max).run();
}

}  // namespace sluice::json
