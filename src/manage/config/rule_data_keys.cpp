#include <array>

#include "manage/config/keys.hpp"

namespace sluice::config {
namespace {

using enum KeyKind;

constexpr std::array kKeys{
    Key{.path = "limits.table_rows",
        .kind = integer,
        .fallback = "100000",
        .min = "1",
        .max = "100000000",
        .text = "Rows of one file of `tables`. A longer one is refused: an error at start, later `table_failures_total` and the old "
                "content stays."},
    Key{.path = "limits.table_bytes",
        .kind = size,
        .fallback = "64MiB",
        .min = "1KiB",
        .max = "1TiB",
        .text = "Memory of all tables together, and the size of one file; while a file is read anew its old content comes on top. The same "
                "reaction."},

    Key{.path = "tables",
        .kind = list,
        .fallback = "[]",
        .text = "Files that rules can JOIN, up to 64. They are read anew within about a second when they change, and by `sluice reload`: "
                "[sql.md](sql.md#joins)."},
    Key{.path = "tables[]", .text = "One table."},
    Key{.path = "tables[].name", .kind = identifier, .required = true, .text = "What SQL calls it; unique."},
    Key{.path = "tables[].file",
        .kind = existing,
        .required = true,
        .text = "`.csv` with a header, `.json` (an array of objects) or `.ndjson` (an object a line)."},
    Key{.path = "tables[].key",
        .kind = list,
        .shorthand = "[]",
        .required = true,
        .text = "The column, or columns, by which a row is found; no two rows have the same there."},
    Key{.path = "tables[].key[]", .kind = text, .text = "A column."},

    Key{.path = "iso20816",
        .kind = map,
        .text = "Classes of machines for `iso20816_zone`, beside those of the standard ([detection.md](detection.md)): "
                "`pumps: [2.5, 4.0, 6.3]`."},
    Key{.path = "iso20816.*",
        .kind = list,
        .text = "The upper limits of zones A, B and C in mm/s (rms), ascending; the name is what SQL calls the class."},
    Key{.path = "iso20816.*[]", .kind = number, .min = "0.001", .max = "1000000", .text = "A limit."},
};

}  // namespace

std::span<const Key> rule_data_keys() { return kKeys; }

}  // namespace sluice::config
