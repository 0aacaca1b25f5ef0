// A streaming reader of CSV files (RFC 4180), made for sensor data: rows become JSON objects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace sluice::csv {

/// `number`: the whole field is a decimal number that a 64-bit float can hold (so not "NaN", "inf", "1e999", " 5" or "0x10": those are
/// text). `null`: the field is empty. Quotes around a field do not change its kind.
enum class FieldKind : std::uint8_t { null, number, text };

struct Field {
    FieldKind kind = FieldKind::null;
    std::string_view text;  ///< without quotes; the digits as they stand in the file
};

enum class Step : std::uint8_t {
    header,      ///< the first row was read: columns() are known (once, before any row)
    row,         ///< row() is the next row
    need_input,  ///< give() more bytes, or finish()
    end,         ///< no more rows
    failed,      ///< line() and problem() say what is wrong; the reader stays failed
};

inline constexpr std::size_t kRowBytesMax = 1024 * 1024;  // far above any sensor's row; bounds memory for a file that is no CSV
inline constexpr std::size_t kColumnsMax = 4096;

/// Feed it pieces of any size: `for (;;) switch (reader.next()) …`. The delimiter, `,` or `;`, is what the header has more of (outside
/// quotes); lines end in LF or CRLF, the last one needs no end; empty lines are skipped; a UTF-8 byte order mark is skipped; a column
/// without a name is called `column<n>` (n from 1). Failures: a row with another number of fields than the header, text behind a closing
/// quote, a quote never closed, a name twice, bytes that are not UTF-8, more than kRowBytesMax or kColumnsMax, no header. One thread.
/// Memory: about two rows and the last piece.
class Reader {
public:
    /// Appends bytes of the file. Views from row() are no longer valid.
    void give(std::string_view bytes);
    /// There are no more bytes.
    void finish() { finished_ = true; }
    Step next();

    [[nodiscard]] std::span<const std::string> columns() const { return columns_; }
    /// As many fields as columns. Valid until the next call of next() or give().
    [[nodiscard]] std::span<const Field> row() const { return fields_; }
    /// The line (from 1) on which the current row, or the problem, begins.
    [[nodiscard]] std::uint64_t line() const { return line_; }
    /// What is wrong and what to do, without the line.
    [[nodiscard]] const std::string& problem() const { return problem_; }
    [[nodiscard]] char delimiter() const { return delimiter_; }

    /// Appends the current row as one JSON object, keys in the order of the columns: numbers with their digits (a leading `+`, leading
    /// zeros and a bare decimal point are made valid JSON), text escaped, empty fields null.
    void append_json(base::Bytes& out) const;

private:
    /// What a quote at scan_at_ would mean.
    enum class Quotes : std::uint8_t { may_open, none, inside, closed };

    bool find_row_end();
    bool split(std::string_view text);
    Step take_header(std::string_view text);
    Step take_row(std::string_view text);
    Step fail(std::uint64_t line, std::string problem);
    static std::string too_long();
    static std::string never_closed();

    std::string buffer_;
    std::size_t at_ = 0;       // start of the row not yet taken
    std::size_t scan_at_ = 0;  // how far its end was searched
    Quotes quotes_ = Quotes::may_open;
    std::vector<Field> fields_;
    std::string unquoted_;  // the contents of quoted fields
    std::vector<std::string> columns_;
    std::vector<std::string> keys_;  // `{"name":` and `,"name":`, escaped
    std::string problem_;
    std::uint64_t line_ = 0;
    std::uint64_t next_line_ = 1;
    char delimiter_ = ',';
    bool mark_seen_ = false;
    bool header_read_ = false;
    bool finished_ = false;
    bool failed_ = false;
};

/// Is the whole text a decimal number in the sense of FieldKind::number?
[[nodiscard]] bool is_number(std::string_view text);

/// Appends a number that is_number() accepted so that it is valid JSON.
void append_json_number(base::Bytes& out, std::string_view number);

/// Appends text as a JSON string with its quotes. The text must be valid UTF-8.
void append_json_string(base::Bytes& out, std::string_view text);

}  // namespace sluice::csv
