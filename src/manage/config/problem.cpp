#include "manage/config/problem.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace sluice::config {
namespace {

constexpr std::string_view name(Severity severity) {
    switch (severity) {
        case Severity::error:
            return "error";
        case Severity::warning:
            return "warning";
        case Severity::note:
            return "note";
    }
    return "error";
}

/// Text from a file may hold anything, and a message must stay one line of a terminal.
std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    return out;
}

std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\u{:04x}", byte);
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::vector<const Problem*> in_file_order(const Problems& problems) {
    std::vector<const Problem*> order;
    order.reserve(problems.size());
    for (const Problem& problem : problems) order.push_back(&problem);
    std::stable_sort(order.begin(), order.end(), [](const Problem* a, const Problem* b) { return is_before(*a, *b); });
    return order;
}

}  // namespace

bool is_before(const Problem& a, const Problem& b) { return a.file != b.file ? a.file < b.file : a.at < b.at; }

std::string shortened(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return std::string(text);
    while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0U) == 0x80) --bytes_max;
    return fmt::format("{}…", text.substr(0, bytes_max));
}

std::string format(std::string_view file, const Problem& problem) {
    const std::string_view place = problem.file.empty() ? file : std::string_view(problem.file);
    return fmt::format("{}:{}:{}: {}: {}", printable(place), problem.at.line, problem.at.column, name(problem.severity),
                       printable(problem.message));
}

std::string format_all(std::string_view file, const Problems& problems) {
    std::string out;
    for (const Problem* problem : in_file_order(problems)) {
        out += format(file, *problem);
        out += '\n';
    }
    return out;
}

std::string to_json(std::string_view file, const Problems& problems) {
    std::string out = "[";
    for (const Problem* problem : in_file_order(problems)) {
        if (out.size() > 1) out += ',';
        out +=
            fmt::format(R"({{"file":{},"line":{},"column":{},"severity":"{}","key":{},"message":{},"not_built":{}}})",
                        json_string(problem->file.empty() ? file : std::string_view(problem->file)), problem->at.line, problem->at.column,
                        name(problem->severity), json_string(problem->key), json_string(problem->message), problem->not_built);
    }
    return out + "]";
}

bool is_valid(const Problems& problems) {
    return std::none_of(problems.begin(), problems.end(), [](const Problem& problem) { return problem.severity == Severity::error; });
}

bool is_runnable(const Problems& problems) {
    return is_valid(problems) && std::none_of(problems.begin(), problems.end(), [](const Problem& problem) { return problem.not_built; });
}

Problems as_refusal(Problems problems) {
    for (Problem& problem : problems) {
        if (!problem.not_built) continue;
        problem.severity = Severity::error;
        problem.message += "; take it out to start";
    }
    return problems;
}

}  // namespace sluice::config
