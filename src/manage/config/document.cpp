#include "manage/config/document.hpp"

#include <algorithm>
#include <istream>
#include <streambuf>
#include <unordered_map>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace sluice::config {
namespace {

/// A stream over borrowed text.
class ViewBuffer final : public std::streambuf {
public:
    explicit ViewBuffer(std::string_view text) {
        char* begin = const_cast<char*>(text.data());  // the get area is not written to
        setg(begin, begin, begin + text.size());
    }
};

/// What we refuse ourselves, in our words.
class Refused final : public YAML::ParserException {
public:
    using YAML::ParserException::ParserException;
};

/// Builds the tree from yaml-cpp's events; its Node API would lose duplicate keys.
class Builder final : public YAML::EventHandler {
public:
    Builder(const Source& source, Problems& problems) : source_(source), problems_(problems) {}

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (documents_++ != 0) throw Refused(mark, "a configuration is one document: the second `---` begins another");
    }
    void OnDocumentEnd() override {}
    void OnAnchor(const YAML::Mark& mark, const std::string& anchor) override {
        complain(mark, fmt::format("anchors (&{}) are not supported: write the value where it is used", anchor));
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        complain(mark, "aliases (*name) are not supported: write the value out");
        add(node_at(mark, Node::Kind::null));
    }
    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add(node_at(mark, Node::Kind::null)); }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
        refuse_tag(mark, tag);
        if (!source_.quote_is_closed(offset(mark))) throw YAML::ParserException(mark, "illegal EOF in scalar");
        const bool plain = source_.style_at(offset(mark)) == ScalarStyle::plain;
        if (expects_key()) {
            add_key(mark, value);
            return;
        }
        Node node = node_at(mark, Node::Kind::scalar);
        node.plain = plain;
        node.text = value;
        add(std::move(node));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
        refuse_tag(mark, tag);
        open(mark, Node::Kind::sequence);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
        refuse_tag(mark, tag);
        open(mark, Node::Kind::map);
    }
    void OnMapEnd() override { close(); }

    [[nodiscard]] Node take_root() { return std::move(root_); }

private:
    struct Open {
        Node node;
        std::string key;  ///< of the value that comes next, in a map
        Position key_at;
        bool has_key = false;
        bool key_is_duplicate = false;
        std::unordered_map<std::string, Position> seen;
    };

    [[nodiscard]] std::size_t offset(const YAML::Mark& mark) const { return source_.offset(mark.line, mark.column); }
    [[nodiscard]] Position position(const YAML::Mark& mark) const { return source_.position(offset(mark)); }
    [[nodiscard]] Node node_at(const YAML::Mark& mark, Node::Kind kind) const {
        Node node;
        node.kind = kind;
        node.offset = offset(mark);
        node.at = position(mark);
        return node;
    }
    [[nodiscard]] bool expects_key() const {
        return !stack_.empty() && stack_.back().node.kind == Node::Kind::map && !stack_.back().has_key;
    }

    void complain(const YAML::Mark& mark, std::string message) {
        problems_.push_back({Severity::error, position(mark), {}, std::move(message), false});
    }
    void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        if (!tag.empty() && tag != "?" && tag != "!")
            complain(mark, fmt::format("tags ({}) are not supported: write the plain value", tag));
    }

    void add_key(const YAML::Mark& mark, const std::string& key) {
        Open& map = stack_.back();
        map.key = key;
        map.key_at = position(mark);
        map.has_key = true;
        const auto [first, inserted] = map.seen.emplace(key, map.key_at);
        map.key_is_duplicate = !inserted;
        if (inserted) return;
        complain(mark, fmt::format("duplicate key `{}`: it stands in line {} already", key, first->second.line));
    }

    void add(Node&& node) {
        if (++nodes_ > kNodesMax) throw Refused(YAML::Mark(), fmt::format("more than {} values in one file", kNodesMax));
        if (stack_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& parent = stack_.back();
        if (parent.node.kind == Node::Kind::sequence) {
            parent.node.items.push_back(std::move(node));
        } else if (parent.has_key) {
            // Of duplicates the first stays, so that later stages judge one value.
            if (!parent.key_is_duplicate) parent.node.entries.push_back({std::move(parent.key), parent.key_at, std::move(node)});
            parent.has_key = false;
        } else {
            problems_.push_back({Severity::error, node.at, {}, "a key must be text", false});
            parent.key_at = node.at;
            parent.has_key = true;  // its value is skipped with it
            parent.key_is_duplicate = true;
        }
    }

    void open(const YAML::Mark& mark, Node::Kind kind) {
        if (stack_.size() >= kDepthMax) throw Refused(mark, fmt::format("nested deeper than {} levels", kDepthMax));
        Open next;
        next.node = node_at(mark, kind);
        stack_.push_back(std::move(next));
    }
    void close() {
        Node node = std::move(stack_.back().node);
        stack_.pop_back();
        add(std::move(node));
    }

    const Source& source_;
    Problems& problems_;
    Node root_;
    std::vector<Open> stack_;
    std::size_t nodes_ = 0;
    int documents_ = 0;
};

/// yaml-cpp's words for the mistakes that people make most, in ours.
std::string explain(const std::string& message, std::string_view line) {
    const std::string_view indentation = line.substr(0, std::min(line.find_first_not_of(" \t"), line.size()));
    if (indentation.find('\t') != std::string_view::npos) return "a tab cannot indent YAML: use spaces";
    struct Row {
        std::string_view theirs;
        std::string_view ours;
    };
    constexpr Row kRows[]{
        {"end of map not found", "not valid YAML: this line does not fit into the mapping above it (look at its indentation and the `:`)"},
        {"end of sequence not found",
         "not valid YAML: this line does not fit into the list above it (look at its indentation and the `-`)"},
        {"end of map flow not found", "not valid YAML: a `{` is never closed, or a `,` is missing"},
        {"end of sequence flow not found", "not valid YAML: a `[` is never closed, or a `,` is missing"},
        {"illegal map value", "not valid YAML: a `:` where none can stand (text that holds `: ` needs quotes)"},
        {"illegal block entry", "not valid YAML: a `-` where no list can begin"},
        {"illegal EOF in scalar", "not valid YAML: a quote is never closed"},
        {"unknown token", "not valid YAML: a character that cannot begin a value (quote it)"},
    };
    for (const Row& row : kRows) {
        if (message == row.theirs) return std::string(row.ours);
    }
    return "not valid YAML: " + message;
}

}  // namespace

const Entry* Node::find(std::string_view key) const {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
    return found == entries.end() ? nullptr : &*found;
}

std::optional<Node> parse_document(const Source& source, Problems& problems) {
    if (const auto bad = first_bad_byte(source.text())) {
        const auto byte = static_cast<unsigned char>(source.text()[*bad]);
        std::string message =
            byte >= 0x80 ? "not valid UTF-8" : fmt::format("a control character (0x{:02x}) cannot stand in a configuration", byte);
        problems.push_back({Severity::error, source.position(*bad), {}, std::move(message), false});
        return std::nullopt;
    }
    Builder builder(source, problems);
    try {
        ViewBuffer buffer(source.text());
        std::istream stream(&buffer);
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const Refused& error) {
        problems.push_back({Severity::error, source.position(source.offset(error.mark.line, error.mark.column)), {}, error.msg, false});
        return std::nullopt;
    } catch (const YAML::Exception& error) {
        const std::size_t offset = error.mark.is_null() ? 0 : source.offset(error.mark.line, error.mark.column);
        problems.push_back({Severity::error, source.position(offset), {}, explain(error.msg, source.line_at(offset)), false});
        return std::nullopt;
    }
    return builder.take_root();
}

}  // namespace sluice::config
