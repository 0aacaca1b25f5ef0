// The table of all functions, a row each. Calls are checked against it, evaluated through it, and described by it: docs/sql.md, the command
// line's help and the tests are made from it. A family's rows stand beside their code, in `<family>_functions.cpp`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "codec/json/value.hpp"

namespace sluice::rules {

enum class FunctionKind : std::uint8_t {
    scalar,     ///< of its arguments alone
    context,    ///< of the reading: topic, arrival, client
    window,     ///< of the window: its start and end
    stateful,   ///< of this and earlier readings of one key; needs OVER (PARTITION BY …) for more than one state
    aggregate,  ///< of the readings of a window, or of OVER (… ROWS n PRECEDING)
    expansion,  ///< puts out a row for each element
    external,   ///< of something outside of the rules
};

/// What an expression can turn out as, as far as the SQL tells. `json` is an object or array.
enum class Type : std::uint8_t { any, null, boolean, number, text, json };
[[nodiscard]] std::string_view type_name(Type type);

/// Family after family, in the order of their rows. Nothing that is saved depends on the numbers.
enum class Function : std::uint16_t {
    // math_functions.cpp
    abs,
    ceil,
    floor,
    round,
    trunc,
    sqrt,
    power,
    exp,
    ln,
    log10,
    sign,
    mod,
    sin,
    cos,
    tan,
    atan2,
    acos,
    asin,
    atan,
    sinh,
    cosh,
    tanh,
    cot,
    degrees,
    radians,
    pi,
    cbrt,
    log2,
    log,
    square,
    clamp,
    bit_and,
    bit_or,
    bit_xor,
    bit_not,
    shift_left,
    shift_right,
    isinf,
    // conditional_functions.cpp
    greatest,
    least,
    coalesce,
    ifnull,
    nullif,
    iif,
    nvl2,
    decode,
    isnull,
    isnotnull,
    isundefined,
    // text_functions.cpp
    upper,
    lower,
    trim,
    ltrim,
    rtrim,
    substr,
    left,
    right,
    lpad,
    rpad,
    repeat,
    reverse,
    replace,
    concat,
    concat_ws,
    chr,
    format,
    // search_functions.cpp
    length,
    numbytes,
    ascii,
    startswith,
    endswith,
    contains,
    indexof,
    strpos,
    charindex,
    split_part,
    split_value,
    // regexp_functions.cpp
    regexp_matches,
    regexp_substr,
    regexp_replace,
    // time_functions.cpp
    now,
    to_timestamp,
    format_time,
    iso8601,
    date_part,
    date_trunc,
    date_add,
    date_diff,
    year,
    month,
    day,
    hour,
    minute,
    second,
    day_of_week,
    day_of_year,
    // encoding_functions.cpp
    md5,
    sha1,
    sha256,
    sha384,
    sha512,
    crc32,
    base64_encode,
    base64_decode,
    hex_encode,
    hex_decode,
    url_encode,
    url_decode,
    // json_functions.cpp
    to_json,
    parse_json,
    json_value,
    get,
    object,
    object_keys,
    object_values,
    object_size,
    type_of,
    // array_functions.cpp
    array,
    array_length,
    element_at,
    array_contains,
    array_position,
    array_min,
    array_max,
    array_sum,
    array_avg,
    array_sort,
    array_distinct,
    array_slice,
    array_join,
    array_concat,
    sequence,
    unnest,
    // reading_functions.cpp
    topic,
    timestamp,
    clientid,
    payload,
    window_start,
    window_end,
    // state_functions.cpp
    zscore,
    every,
    lag,
    delta,
    rate,
    changed,
    ewma,
    rms,
    kurtosis,
    crest,
    episode,
    last_hit_time,
    last_hit_count,
    // detection_functions.cpp
    robust_z,
    beyond,
    adaptive,
    adaptive_alarm,
    adaptive_average,
    adaptive_baseline,
    adaptive_limit,
    stuck,
    gap,
    // waveform_functions.cpp
    wave_rms,
    wave_peak,
    wave_crest,
    wave_kurtosis,
    wave_band_rms,
    wave_velocity_rms,
    envelope_line,
    bearing_line,
    bearing_fault,
    // machine_functions.cpp
    iso20816_zone,
    // aggregate_functions.cpp
    count,
    sum,
    avg,
    min,
    max,
    stddev,
    stddevs,
    var,
    vars,
    median,
    percentile,
    first,
    last,
    collect,
    // external_functions.cpp
    infer,
    call,
    shadow,
};
inline constexpr std::size_t kFunctionCount = static_cast<std::size_t>(Function::shadow) + 1;

struct Scope;
class Arguments;
using Call = json::Value (*)(Scope& scope, const Arguments& arguments);

/// A letter for each argument; those in brackets may be left out; * repeats the last one.
///   n a number   t text   b a condition   j an array or object   x anything
///   m a moment: a number or text   i a whole number written out   c a number written out
/// Texts that are checked with the rule, where they are written out:
///   u a unit of time, also a bare word   f a format of time   z an offset from UTC   p a path into JSON   r a pattern, always written out
///   g a bearing's geometry   k a class of machine (or a number)
class ArgumentList {
public:
    static constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();

    constexpr ArgumentList() = default;
    constexpr ArgumentList(const char* letters) : letters_(letters) {}  // NOLINT(google-explicit-constructor): a row writes its letters

    [[nodiscard]] constexpr std::size_t least() const { return count_letters(letters_.substr(0, letters_.find('['))); }
    [[nodiscard]] constexpr std::size_t most() const { return letters_.ends_with('*') ? kAnyNumber : count_letters(letters_); }
    /// Of the argument with this index, below most().
    [[nodiscard]] constexpr char letter(std::size_t index) const {
        char found = 'x';
        std::size_t at = 0;
        for (const char c : letters_) {
            if (!is_letter(c)) continue;
            found = c;
            if (at++ == index) break;
        }
        return found;
    }
    [[nodiscard]] constexpr Type type(std::size_t index) const {
        switch (letter(index)) {
            case 'n':
            case 'i':
            case 'c':
                return Type::number;
            case 't':
            case 'u':
            case 'f':
            case 'z':
            case 'p':
            case 'r':
            case 'g':
                return Type::text;
            case 'b':
                return Type::boolean;
            case 'j':
                return Type::json;
            default:
                return Type::any;
        }
    }

private:
    static constexpr bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
    static constexpr std::size_t count_letters(std::string_view letters) {
        std::size_t count = 0;
        for (const char c : letters) count += static_cast<std::size_t>(is_letter(c));
        return count;
    }

    std::string_view letters_;
};

struct FunctionInfo {
    Function id;
    std::string_view name;
    std::string_view aliases;  ///< other dialects' names, with blanks between
    FunctionKind kind;
    ArgumentList arguments;
    Type result;
    std::string_view signature;
    std::string_view text;
    std::string_view example;
    std::string_view gives;  ///< the example's value as JSON; empty where it needs earlier readings or a window
    Call call = nullptr;     ///< nullptr: not evaluated as an expression (state, aggregates)
};

/// By id.
extern const std::array<const FunctionInfo*, kFunctionCount> kFunctions;
[[nodiscard]] inline const FunctionInfo& info(Function id) { return *kFunctions[static_cast<std::size_t>(id)]; }

/// A family as people see it.
struct FunctionFamily {
    std::string_view title;
    std::span<const FunctionInfo> functions;
};
[[nodiscard]] std::span<const FunctionFamily> function_families();

/// By name or alias, in lower case; nullptr: no such function.
[[nodiscard]] const FunctionInfo* find_function(std::string_view name);
/// Names and aliases.
[[nodiscard]] std::span<const std::string_view> function_names();

/// The functions section of docs/sql.md, in Markdown.
[[nodiscard]] std::string functions_reference();

}  // namespace sluice::rules
