#include "cli/rule_functions.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/exit.hpp"
#include "cli/json_text.hpp"
#include "flow/rules/functions.hpp"
#include "flow/rules/problems.hpp"

namespace sluice::cli {
namespace {

using rules::FunctionInfo;
using rules::FunctionKind;

constexpr std::size_t kSignatureWidth = 40;

std::string_view kind_text(FunctionKind kind) {
    switch (kind) {
        case FunctionKind::scalar:
            return "of its arguments";
        case FunctionKind::context:
            return "of the reading";
        case FunctionKind::window:
            return "of the window";
        case FunctionKind::stateful:
            return "of this and earlier readings";
        case FunctionKind::aggregate:
            return "of the readings of a window";
        case FunctionKind::expansion:
            return "makes rows";
        case FunctionKind::external:
            return "of something outside of the rules";
    }
    return "";
}

/// In the name, an alias or the text; case aside.
bool mentions(const FunctionInfo& function, const std::string& word) {
    const auto has = [&word](std::string_view text) { return rules::lower_case(text).find(word) != std::string::npos; };
    return has(function.name) || has(function.aliases) || has(function.text);
}

void print_json(const FunctionInfo& function, std::string_view family) {
    std::string aliases;
    for (const std::string_view name : rules::function_names()) {
        if (name != function.name && rules::find_function(name) == &function) aliases += (aliases.empty() ? "" : ",") + json_text(name);
    }
    fmt::print(R"({{"name":{},"aliases":[{}],"family":{},"kind":{},"signature":{},"result":{},"text":{},"example":{},"gives":{}}})"
               "\n",
               json_text(function.name), aliases, json_text(family), json_text(kind_text(function.kind)), json_text(function.signature),
               json_text(rules::type_name(function.result)), json_text(function.text), json_text(function.example),
               function.gives.empty() ? "null" : function.gives);
}

void print_one(const FunctionInfo& function) {
    fmt::print("{}\n  {}\n\n", function.signature, function.text);
    if (!function.aliases.empty()) fmt::print("  also      {}\n", function.aliases);
    fmt::print("  result    {}, {}\n", rules::type_name(function.result), kind_text(function.kind));
    fmt::print("  example   {}\n", function.example);
    if (!function.gives.empty()) fmt::print("  gives     {}\n", function.gives);
}

struct Options {
    std::string word;
    bool json = false;
};

int run(const Options& options) {
    const std::string word = rules::lower_case(options.word);
    const FunctionInfo* const named = rules::find_function(word);
    if (named != nullptr && !options.json) {
        print_one(*named);
        return kExitGood;
    }
    bool any = false;
    for (const rules::FunctionFamily& family : rules::function_families()) {
        std::vector<const FunctionInfo*> found;
        for (const FunctionInfo& function : family.functions) {
            if (named != nullptr ? named == &function : mentions(function, word)) found.push_back(&function);
        }
        if (found.empty()) continue;
        if (!options.json) fmt::print("{}{}\n", any ? "\n" : "", family.title);
        any = true;
        for (const FunctionInfo* function : found) {
            if (options.json)
                print_json(*function, family.title);
            else
                fmt::print("  {:<{}}  {}\n", function->signature, kSignatureWidth, function->text);
        }
    }
    if (any) return kExitGood;
    fmt::print(stderr, "rule functions: error: no function is called so or says '{}'{}\n", options.word,
               rules::did_you_mean(word, rules::function_names()));
    return kExitFailed;
}

}  // namespace

void add_rule_functions(CLI::App& rule, Exit& exit) {
    auto* command = rule.add_subcommand("functions", "the functions of the SQL dialect: all, those that a word is about, or one in detail");
    auto options = std::make_shared<Options>();
    command->add_option("word", options->word, "a function's name, or a word of its description");
    command->add_flag("--json", options->json, "a JSON object a line for each function");
    command->footer(
        "Examples:\n"
        "  sluice rule functions                  all\n"
        "  sluice rule functions regexp           those about regular expressions\n"
        "  sluice rule functions date_trunc       one in detail\n"
        "\n"
        "Exit: 0 good, 1 there is no such function.");
    command->callback([options, &exit] { exit.code = run(*options); });
}

}  // namespace sluice::cli
