// links: sluice_codec_csv simdjson::simdjson
// First byte: size of the pieces. In pieces or at once the reader gives the same rows, and every row is a JSON object with all its columns.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <simdjson.h>

#include "codec/csv/csv_reader.hpp"

using sluice::csv::Reader;
using sluice::csv::Step;

namespace {

/// simdjson's document model has no integers of more than 64 bits, though they are JSON.
bool is_big_integer(const sluice::csv::Field& field) {
    const auto mark = field.text.find_first_of(".eE");
    return field.kind == sluice::csv::FieldKind::number && field.text.size() > 18 &&
           (mark == std::string_view::npos || mark + 1 == field.text.size());
}

void check_row(const Reader& reader, const std::string& json) {
    if (std::any_of(reader.row().begin(), reader.row().end(), is_big_integer)) return;
    static simdjson::dom::parser parser;
    simdjson::dom::object object;
    if (parser.parse(json).get(object) != simdjson::SUCCESS) std::abort();
    if (object.size() != reader.columns().size() || reader.row().size() != reader.columns().size()) std::abort();
}

std::string read_all(std::string_view text, std::size_t piece) {
    Reader reader;
    std::string out;
    sluice::base::Bytes json;
    for (std::size_t at = 0;;) {
        switch (reader.next()) {
            case Step::header:
                break;
            case Step::row:
                json.clear();
                reader.append_json(json);
                check_row(reader, std::string(sluice::base::as_text(json)));
                out.append(sluice::base::as_text(json)).push_back('\n');
                break;
            case Step::need_input:
                if (at == text.size()) {
                    reader.finish();
                } else {
                    reader.give(text.substr(at, piece));
                    at += std::min(piece, text.size() - at);
                }
                break;
            case Step::end:
                return out;
            case Step::failed:
                return out + std::to_string(reader.line()) + reader.problem();
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto text = sluice::base::as_text({data + 1, size - 1});
    if (read_all(text, size) != read_all(text, std::size_t{1} + data[0])) std::abort();
    return 0;
}
