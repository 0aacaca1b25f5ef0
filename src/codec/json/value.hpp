// One value of a JSON document or of an SQL expression: 16 bytes, trivially copyable, borrows its text.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"

namespace sluice::json {

enum class Kind : std::uint8_t {
    missing,  ///< the field is not in the document; SQL treats it as NULL
    null,
    boolean,
    integer,  ///< -2^63 to 2^63-1, exact
    number,   ///< a 64-bit float; infinity and NaN only as results of expressions, never from a document
    text,     ///< UTF-8, unescaped
    raw,      ///< an object or array, as the bytes of valid JSON
};

/// Text and raw values point into a payload or a scratch buffer: whoever hands a Value out says how long that stays valid.
class Value {
public:
    constexpr Value() : integer_(0) {}
    [[nodiscard]] static constexpr Value null() { return Value(Kind::null); }
    /// A NULL that stands for a number of a document that no 64-bit float can hold (1e400).
    [[nodiscard]] static constexpr Value beyond_range() {
        Value result(Kind::null);
        result.size_ = 1;
        return result;
    }
    [[nodiscard]] static constexpr Value boolean(bool value) {
        Value result(Kind::boolean);
        result.integer_ = value ? 1 : 0;
        return result;
    }
    [[nodiscard]] static constexpr Value integer(std::int64_t value) {
        Value result(Kind::integer);
        result.integer_ = value;
        return result;
    }
    [[nodiscard]] static constexpr Value number(double value) {
        Value result(Kind::number);
        result.number_ = value;
        return result;
    }
    /// At most 4 GiB; limits of payloads are far below.
    [[nodiscard]] static constexpr Value text(std::string_view value) { return view(Kind::text, value); }
    [[nodiscard]] static constexpr Value raw(std::string_view value) { return view(Kind::raw, value); }

    [[nodiscard]] constexpr Kind kind() const { return kind_; }
    [[nodiscard]] constexpr bool is_missing() const { return kind_ == Kind::missing; }
    /// NULL in the sense of SQL: null or missing.
    [[nodiscard]] constexpr bool is_null() const { return kind_ <= Kind::null; }
    [[nodiscard]] constexpr bool is_beyond_range() const { return size_ != 0 && kind_ == Kind::null; }
    [[nodiscard]] constexpr bool is_numeric() const { return kind_ == Kind::integer || kind_ == Kind::number; }
    [[nodiscard]] constexpr bool is_text() const { return kind_ == Kind::text; }
    [[nodiscard]] constexpr bool is_true() const { return kind_ == Kind::boolean && integer_ != 0; }
    [[nodiscard]] constexpr bool is_false() const { return kind_ == Kind::boolean && integer_ == 0; }

    /// Only for kind() == integer or boolean.
    [[nodiscard]] constexpr std::int64_t as_integer() const { return integer_; }
    /// Only for kind() == number.
    [[nodiscard]] constexpr double as_number() const { return number_; }
    /// Only for integer and number: as a 64-bit float.
    [[nodiscard]] constexpr double as_double() const { return kind_ == Kind::integer ? static_cast<double>(integer_) : number_; }
    /// Only for text and raw.
    [[nodiscard]] constexpr std::string_view as_view() const { return {text_, size_}; }

private:
    constexpr explicit Value(Kind kind) : kind_(kind), integer_(0) {}
    static constexpr Value view(Kind kind, std::string_view value) {
        Value result(kind);
        result.size_ = static_cast<std::uint32_t>(value.size());
        result.text_ = value.data();
        return result;
    }

    Kind kind_ = Kind::missing;
    std::uint32_t size_ = 0;
    union {
        std::int64_t integer_;
        double number_;
        const char* text_;
    };
};
static_assert(sizeof(Value) == 16);

}  // namespace sluice::json
