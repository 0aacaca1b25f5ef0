// One validating pass over a JSON document that takes out the wanted fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "codec/json/field_set.hpp"
#include "codec/json/value.hpp"

namespace sluice::json {

struct ScanLimits {
    std::size_t bytes_max = 1024 * 1024;
    unsigned depth_max = 32;  ///< of nested objects and arrays; at most kDepthMax
    static constexpr unsigned kDepthMax = 512;
};

/// What the top of a document is.
enum class Top : std::uint8_t { object, array, scalar };

/// Owned by one thread; reused, so that nothing is allocated per document.
/// The whole document is checked by RFC 8259: grammar, UTF-8 (unpaired surrogates too), nothing behind the end. NaN and Infinity are not
/// JSON. A number beyond the range of a 64-bit float (1e999) is: Value::beyond_range(). Of equal keys in an object the last counts.
class Scanner {
public:
    explicit Scanner(const ScanLimits& limits = {});

    /// Sets slots[i] to the field of slot i (the slots of this set only), Kind::missing where it is not there. Text values point into the
    /// document, or into the scanner where they were escaped: valid until the next scan, and as long as the document. Behind the document
    /// kReadablePadding bytes can be read. `slots` has at least fields.size() elements. Errors: malformed, too_deep, too_large; the slots
    /// are then worth nothing.
    [[nodiscard]] base::Result<Top> scan(base::ByteView document, const FieldSet& fields, std::span<Value> slots);

private:
    ScanLimits limits_;
    base::Bytes unescaped_;
};

/// Copies the bytes that a JSON string stands for: `text` is what is between the quotes, valid. Returns the end of what was written: never
/// more than text.size() bytes.
char* unescape(std::string_view text, char* to);

/// Well-formed UTF-8 (RFC 3629)? U+0000 is.
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace sluice::json
