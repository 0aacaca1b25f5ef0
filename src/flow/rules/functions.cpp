#include "flow/rules/functions.hpp"

#include <utility>

namespace sluice::rules {
namespace {

constexpr auto kNames = [] {
    std::array<std::string_view, kFunctions.size()> names{};
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = kFunctions[i].name;
    return names;
}();

struct Section {
    FunctionKind kind;
    std::string_view title;
};
constexpr std::array kSections{
    Section{FunctionKind::scalar, "Scalar functions"},
    Section{FunctionKind::context, "Of the reading"},
    Section{FunctionKind::stateful, "Stateful functions, with `OVER (PARTITION BY key)`"},
    Section{FunctionKind::aggregate, "Aggregates, of a window or `OVER (PARTITION BY key ROWS n PRECEDING)`"},
    Section{FunctionKind::window, "Of the window"},
    Section{FunctionKind::external, "Of things outside of the rules"},
};

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '|') result += '\\';
        result += c;
    }
    return result;
}

}  // namespace

const FunctionInfo* find_function(std::string_view name) {
    for (const FunctionInfo& function : kFunctions) {
        if (function.name == name) return &function;
    }
    return nullptr;
}

std::span<const std::string_view> function_names() { return kNames; }

std::string functions_reference() {
    std::string page;
    for (const Section& section : kSections) {
        page += "### " + std::string(section.title) + "\n\n| function | gives | example |\n|---|---|---|\n";
        for (const FunctionInfo& function : kFunctions) {
            if (function.kind != section.kind) continue;
            page += "| `" + escaped(function.signature) + "` | " + escaped(function.text) + " | `" + escaped(function.example) + "` |\n";
        }
        page += "\n";
    }
    return page;
}

}  // namespace sluice::rules
