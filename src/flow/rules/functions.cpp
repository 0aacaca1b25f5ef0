#include "flow/rules/functions.hpp"

#include <vector>

#include "flow/rules/function_families.hpp"

namespace sluice::rules {
namespace {

/// In the order of the ids.
constexpr std::array kFamilies{
    FunctionFamily{"Numbers", kMathFunctions},
    FunctionFamily{"Choices", kConditionalFunctions},
    FunctionFamily{"Text", kTextFunctions},
    FunctionFamily{"Looking into text", kSearchFunctions},
    FunctionFamily{"Regular expressions", kRegexpFunctions},
    FunctionFamily{"Time", kTimeFunctions},
    FunctionFamily{"Hashes and encodings", kEncodingFunctions},
    FunctionFamily{"JSON", kJsonFunctions},
    FunctionFamily{"Arrays", kArrayFunctions},
    FunctionFamily{"Of the reading, and of the window", kReadingFunctions},
    FunctionFamily{"With state, `OVER (PARTITION BY key)`", kStateFunctions},
    FunctionFamily{"That judge a reading by earlier ones, `OVER (PARTITION BY key)`; see [detection.md](detection.md)",
                   kDetectionFunctions},
    FunctionFamily{"Waveforms: blocks of raw samples as arrays", kWaveformFunctions},
    FunctionFamily{"Standards for machines", kMachineFunctions},
    FunctionFamily{"Aggregates, of a window or `OVER (PARTITION BY key ROWS n PRECEDING)`", kAggregateFunctions},
    FunctionFamily{"Of things outside of the rules", kExternalFunctions},
};

constexpr auto kRows = [] {
    std::array<const FunctionInfo*, kFunctionCount> rows{};
    std::size_t count = 0;
    for (const FunctionFamily& family : kFamilies) {
        for (std::size_t i = 0; i < family.functions.size(); ++i) rows.at(count++) = family.functions.data() + i;
    }
    return rows;
}();
// By their number: with sanitizers an address is no constant.
static_assert(
    [] {
        std::size_t count = 0;
        for (const FunctionFamily& family : kFamilies) count += family.functions.size();
        return count;
    }() == kFunctionCount,
    "a family is missing");

/// Calls `visit` with each name of a function until it says true; was it so?
template <class Visit>
bool any_name(const FunctionInfo& function, const Visit& visit) {
    if (visit(function.name)) return true;
    for (std::string_view rest = function.aliases; !rest.empty();) {
        const std::size_t stop = rest.find(' ');
        if (visit(rest.substr(0, stop))) return true;
        rest.remove_prefix(stop == std::string_view::npos ? rest.size() : stop + 1);
    }
    return false;
}

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '|') result += '\\';
        result += c;
    }
    return result;
}

std::string table_row(const FunctionInfo& function) {
    std::string row = "| `" + escaped(function.signature) + "` | " + escaped(function.text);
    if (!function.aliases.empty()) row += "; also `" + escaped(function.aliases) + "`";
    row += " | `" + escaped(function.example) + "`";
    if (!function.gives.empty()) row += " → `" + escaped(function.gives) + "`";
    return row + " |\n";
}

}  // namespace

constinit const std::array<const FunctionInfo*, kFunctionCount> kFunctions = kRows;

std::string_view type_name(Type type) {
    switch (type) {
        case Type::any:
            return "anything";
        case Type::null:
            return "NULL";
        case Type::boolean:
            return "a condition";
        case Type::number:
            return "a number";
        case Type::text:
            return "text";
        case Type::json:
            return "an array or object";
    }
    return "";
}

std::span<const FunctionFamily> function_families() { return kFamilies; }

const FunctionInfo* find_function(std::string_view name) {
    for (const FunctionInfo* function : kFunctions) {
        if (any_name(*function, [name](std::string_view known) { return known == name; })) return function;
    }
    return nullptr;
}

std::span<const std::string_view> function_names() {
    static const std::vector<std::string_view> kNames = [] {
        std::vector<std::string_view> names;
        for (const FunctionInfo* function : kFunctions) {
            (void)any_name(*function, [&names](std::string_view name) {
                names.push_back(name);
                return false;
            });
        }
        return names;
    }();
    return kNames;
}

std::string functions_reference() {
    std::string page;
    for (const FunctionFamily& family : kFamilies) {
        page += "### " + std::string(family.title) + "\n\n| function | gives | example |\n|---|---|---|\n";
        for (const FunctionInfo& function : family.functions) page += table_row(function);
        page += "\n";
    }
    return page;
}

}  // namespace sluice::rules
