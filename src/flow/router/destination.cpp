#include "flow/router/destination.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::router {
namespace {

/// The number in "topic(3)"; nothing if it is not of that form.
bool topic_level_of(std::string_view name, std::size_t& level) {
    constexpr std::string_view kStart = "topic(";
    if (!name.starts_with(kStart) || !name.ends_with(')')) return false;
    const std::string_view number = name.substr(kStart.size(), name.size() - kStart.size() - 1);
    const auto [stop, problem] = std::from_chars(number.data(), number.data() + number.size(), level);
    return problem == std::errc{} && stop == number.data() + number.size() && level >= 1 && level <= 65'535;
}

/// Letters that differ, when both are written at the same places: enough to find "devise" for "device".
std::size_t difference(std::string_view a, std::string_view b) {
    std::size_t prefix = 0;
    while (prefix < a.size() && prefix < b.size() && a[prefix] == b[prefix]) ++prefix;
    std::size_t suffix = 0;
    while (suffix < a.size() - prefix && suffix < b.size() - prefix && a[a.size() - 1 - suffix] == b[b.size() - 1 - suffix]) ++suffix;
    return std::max(a.size(), b.size()) - prefix - suffix;
}

std::string suggestion(std::string_view name, std::span<const std::string> columns) {
    const std::string* best = nullptr;
    std::size_t least = std::min<std::size_t>(3, name.size() / 2 + 1);
    for (const std::string& column : columns) {
        const std::size_t d = difference(name, column);
        if (d < least) {
            best = &column;
            least = d;
        }
    }
    if (best != nullptr) return "; did you mean {" + *best + "}?";
    std::string list;
    for (const std::string& column : columns.first(std::min<std::size_t>(columns.size(), 10))) list += (list.empty() ? "" : ", ") + column;
    return list.empty() ? "" : "; it has " + list;
}

}  // namespace

struct TemplateCompiler {
    std::string_view text;
    TemplateResult result;
    std::vector<std::string> names;  ///< of columns, in order
    std::vector<std::size_t> name_offsets;

    void literal(char c) {
        auto& pieces = result.value.pieces_;
        if (pieces.empty() || pieces.back().kind != TopicTemplate::Piece::Kind::literal)
            pieces.push_back({.kind = TopicTemplate::Piece::Kind::literal, .literal = {}});
        pieces.back().literal += c;
    }

    void fail(std::size_t offset, std::string message) { result.errors.push_back({.offset = offset, .message = std::move(message)}); }

    void placeholder(std::size_t open, std::string_view name) {
        auto& pieces = result.value.pieces_;
        std::size_t level = 0;
        if (name.empty()) return fail(open, "an empty name in braces: expected {column} or {topic(n)}");
        if (name == "topic()") {
            pieces.push_back({.kind = TopicTemplate::Piece::Kind::topic, .literal = {}});
        } else if (topic_level_of(name, level)) {
            pieces.push_back({.kind = TopicTemplate::Piece::Kind::topic_level, .literal = {}, .index = level});
        } else if (name.starts_with("topic(")) {
            fail(open, "expected {topic(n)} with n from 1");
        } else {
            pieces.push_back({.kind = TopicTemplate::Piece::Kind::column, .literal = {}, .index = names.size()});
            names.emplace_back(name);
            name_offsets.push_back(open);
        }
    }

    void run() {
        if (text.empty()) fail(0, "an empty topic");
        constexpr std::size_t kTopicBytesMax = 65'535;
        if (text.size() > kTopicBytesMax) fail(0, "longer than a topic may be");
        for (std::size_t at = 0; at < text.size(); ++at) {
            const char c = text[at];
            if ((c == '{' || c == '}') && at + 1 < text.size() && text[at + 1] == c) {
                literal(c);
                ++at;
            } else if (c == '{') {
                const std::size_t close = text.find('}', at);
                if (close == std::string_view::npos)
                    return fail(at, "this brace has no end: expected {column}; a brace itself is written {{");
                placeholder(at, text.substr(at + 1, close - at - 1));
                at = close;
            } else if (c == '}') {
                fail(at, "a closing brace without an opening one; a brace itself is written }}");
            } else if (c == '+' || c == '#') {
                fail(at, std::string("a topic to publish to cannot have the wildcard ") + c);
            } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
                fail(at, "a topic cannot have control characters");
            } else {
                literal(c);
            }
        }
    }

    void resolve(std::span<const std::string> columns) {
        for (TopicTemplate::Piece& piece : result.value.pieces_) {
            if (piece.kind != TopicTemplate::Piece::Kind::column) continue;
            const std::string& name = names[piece.index];
            const auto found = std::find(columns.begin(), columns.end(), name);
            if (found == columns.end())
                fail(name_offsets[piece.index], "the SQL does not produce a column " + name + suggestion(name, columns));
            piece.index = static_cast<std::size_t>(found - columns.begin());
        }
    }
};

TemplateResult compile_template(std::string_view text, std::span<const std::string> columns) {
    TemplateCompiler compiler{.text = text, .result = {}, .names = {}, .name_offsets = {}};
    compiler.run();
    compiler.resolve(columns);
    if (text.starts_with("$")) compiler.fail(0, "topics that begin with $ are reserved");
    return std::move(compiler.result);
}

std::vector<std::string> template_columns(std::string_view text) {
    TemplateCompiler compiler{.text = text, .result = {}, .names = {}, .name_offsets = {}};
    compiler.run();
    return std::move(compiler.names);
}

}  // namespace sluice::router
