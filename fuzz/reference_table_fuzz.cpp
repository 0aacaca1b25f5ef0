// links: sluice_flow_rules
// First byte: form of the file. Every row of a table is found by its key; what is refused has a place within the file.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "flow/rules/file_table.hpp"
#include "flow/rules/key_table.hpp"

using namespace sluice::rules;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto form = static_cast<TableForm>(data[0] % 3);
    const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::vector<std::string> key = (data[0] & 0x10) != 0 ? std::vector<std::string>{"id"} : std::vector<std::string>{};
    TableProblem problem;
    const auto table = FileTable::read(text, form, key, {.rows_max = 1000, .bytes_max = std::size_t{8} << 20}, problem);
    if (table == nullptr) {
        const auto lines = static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')) + 1;
        if (problem.message.empty() || problem.line < 1 || problem.line > lines || problem.column < 1) std::abort();
        return 0;
    }
    const std::size_t width = table->columns().size();
    if (table->rows() == 0) return 0;
    sluice::base::Bytes scratch;
    std::vector<sluice::json::Value> components(table->key().size());
    // The first row stands first; the others are behind it.
    const auto first = [&](const sluice::json::Value* row) {
        for (std::size_t i = 0; i < components.size(); ++i) components[i] = row[table->key()[i]];
        return table->find(encode_key(components, scratch));
    };
    const sluice::json::Value* row = table->row(0);
    for (std::size_t i = 0; i < table->rows(); ++i, row += width) {
        if (first(row) != row) std::abort();
    }
    return 0;
}
