#include "manage/config/schema.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.hpp"
#include "data/topic.hpp"
#include "manage/config/listen.hpp"
#include "manage/config/scalar.hpp"
#include "manage/config/suggest.hpp"

namespace sluice::config {
namespace {

/// Takes the next part off a path: a name, `[]` or `*`.
std::string_view take_part(std::string_view& path) {
    if (path.starts_with("[]")) {
        path.remove_prefix(2);
        return "[]";
    }
    if (path.starts_with('.')) path.remove_prefix(1);
    const std::size_t end = std::min(path.find_first_of(".["), path.size());
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(end);
    return part;
}

std::string_view kind_name(KeyKind kind) {
    switch (kind) {
        case KeyKind::section:
        case KeyKind::map:
            return "a mapping (`key: value`)";
        case KeyKind::list:
            return "a list";
        case KeyKind::text:
        case KeyKind::secret:
            return "text";
        case KeyKind::identifier:
            return "a name of letters, digits, `_` and `-`, 1 to 64 of them";
        case KeyKind::boolean:
            return "true or false";
        case KeyKind::integer:
            return "a whole number";
        case KeyKind::number:
            return "a number";
        case KeyKind::duration:
            return "a duration such as 250ms, 3s, 18h or 7d";
        case KeyKind::size:
            return "a size such as 4096, 256KiB or 64MiB";
        case KeyKind::percent:
            return "a percentage such as 30%";
        case KeyKind::path:
        case KeyKind::existing:
            return "a path";
        case KeyKind::filter:
            return "an MQTT topic filter";
        case KeyKind::template_:
            return "a topic";
        case KeyKind::sql:
            return "SQL";
        case KeyKind::url:
            return "a URL";
        case KeyKind::address:
            return "HOST:PORT";
        case KeyKind::choice:
            return "one of";
    }
    return "a value";
}

std::string expected(const Key& key) {
    if (key.kind == KeyKind::choice) return fmt::format("one of {}", key.choices);
    std::string text(kind_name(key.kind));
    if (!key.min.empty() && !key.max.empty()) text += fmt::format(" from {} to {}", key.min, key.max);
    return text;
}

/// With what stands behind the name where it is an element of a list: `to[1]`.
std::string name_at(const Key& key, std::string_view path) {
    std::string name(last_name(key.path));
    const std::size_t bracket = path.rfind('[');
    if (name.ends_with("[]") && bracket != std::string_view::npos) name.replace(name.size() - 2, 2, path.substr(bracket));
    return name;
}

std::string found(const Key& key, const Node& node) {
    constexpr std::size_t kShownMax = 60;
    switch (node.kind) {
        case Node::Kind::null:
            return "nothing";
        case Node::Kind::map:
            return "a mapping";
        case Node::Kind::sequence:
            return "a list";
        case Node::Kind::scalar:
            break;
    }
    if (key.kind == KeyKind::secret) return "text";
    if (node.text.empty()) return "empty text";
    if (const auto broker = bad_broker(node.text); key.kind == KeyKind::url && !broker.empty())
        return fmt::format("`{}`: `{}` is not HOST[:PORT]{}", shortened(node.text, kShownMax), shortened(broker, kShownMax),
                           has_impossible_port(broker) ? ": a port is at most 65535" : "");
    const bool port = (key.kind == KeyKind::url || key.kind == KeyKind::address) && has_impossible_port(node.text);
    return fmt::format("`{}`{}", shortened(node.text, kShownMax), port ? ": a port is at most 65535" : "");
}

template <class Parse>
bool in_range(const Key& key, std::string_view text, Parse parse) {
    const auto value = parse(text);
    if (!value) return false;
    if (!key.min.empty() && *value < *parse(key.min)) return false;
    return key.max.empty() || *value <= *parse(key.max);
}

bool has_visible(std::string_view text) { return text.find_first_not_of(" \t\r\n") != std::string_view::npos; }

/// Escapes of quoted scalars (`"\0"`) can bring in what the file itself cannot hold.
bool has_controls(std::string_view text, std::string_view allowed) {
    return std::any_of(text.begin(), text.end(), [&](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 || byte == 0x7f) && allowed.find(c) == std::string_view::npos;
    });
}

bool scalar_fits(const Key& key, const Node& node) {
    const std::string& text = node.text;
    switch (key.kind) {
        case KeyKind::identifier:
            return is_identifier(text);
        case KeyKind::boolean:
            return node.plain && parse_boolean(text).has_value();
        case KeyKind::integer:
            return node.plain && in_range(key, text, parse_integer);
        case KeyKind::number:
            return node.plain && in_range(key, text, parse_number);
        case KeyKind::duration:
            return in_range(key, text, parse_duration);
        case KeyKind::size:
            return in_range(key, text, parse_size);
        case KeyKind::percent:
            return in_range(key, text, parse_percent);
        case KeyKind::choice:
            return choice_index(key.choices, text).has_value();
        case KeyKind::filter:
            return data::is_topic_filter(text);
        case KeyKind::url:
            return parse_url(text).has_value();
        case KeyKind::address:
            return parse_host_port(text).has_value();
        case KeyKind::text:
        case KeyKind::secret:
        case KeyKind::path:
        case KeyKind::existing:
        case KeyKind::template_:
            return has_visible(text) && !has_controls(text, "");
        case KeyKind::sql:
            return has_visible(text) && !has_controls(text, "\t\r\n");
        case KeyKind::section:
        case KeyKind::list:
        case KeyKind::map:
            return false;
    }
    return false;
}

class Validator {
public:
    explicit Validator(Problems& problems) : problems_(problems) {}

    void check(const Node& node, const SchemaNode& schema, Position owner, const std::string& path) {
        const Key& key = schema.key == nullptr ? kRoot : *schema.key;
        if (!key.built && has_content(node)) note(owner, path);
        switch (key.kind) {
            case KeyKind::section:
                if (!key.shorthand.empty() && node.kind == Node::Kind::scalar) {
                    check(node, *schema.child(key.shorthand), owner, join(path, key.shorthand));
                    return;
                }
                if (node.kind == Node::Kind::map || node.kind == Node::Kind::null) return check_section(node, schema, owner, path);
                break;
            case KeyKind::list:
                if (!key.shorthand.empty() && node.kind == Node::Kind::scalar) return check(node, *schema.element, owner, path);
                if (node.kind == Node::Kind::sequence) return check_items(node, schema, path);
                if (node.kind == Node::Kind::null && !key.required) return;  // all elements are comments
                break;
            case KeyKind::map:
                if (node.kind == Node::Kind::null) return;
                if (node.kind == Node::Kind::map) return check_map(node, schema, path);
                break;
            default: {
                if (std::string problem = scalar_problem(key, node, path); !problem.empty()) error(node.at, path, std::move(problem));
                return;
            }
        }
        error(node.at, path, fmt::format("{}: expected {}, found {}", name_of(key, path), expected(key), found(key, node)));
    }

private:
    static constexpr Key kRoot{.path = "the file", .kind = KeyKind::section};

    static bool has_content(const Node& node) { return node.kind == Node::Kind::scalar || !node.items.empty() || !node.entries.empty(); }
    static std::string name_of(const Key& key, std::string_view path) {
        return &key == &kRoot ? std::string(kRoot.path) : name_at(key, path);
    }
    static std::string join(const std::string& path, std::string_view name) {
        return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
    }

    void error(Position at, std::string key, std::string message) {
        problems_.push_back({Severity::error, at, std::move(key), std::move(message), false});
    }
    void note(Position at, const std::string& path) {
        problems_.push_back({Severity::note, at, path, fmt::format("`{}` is not built yet", path), true});
    }

    void check_section(const Node& node, const SchemaNode& schema, Position owner, const std::string& path) {
        for (const Entry& entry : node.entries) {
            if (const SchemaNode* child = schema.child(entry.key)) {
                check(entry.value, *child, entry.key_at, join(path, entry.key));
                continue;
            }
            std::vector<std::string_view> known;
            known.reserve(schema.children.size());
            for (const SchemaNode& child : schema.children) known.push_back(child.name);
            const std::string where = path.empty() ? std::string() : fmt::format(" in `{}`", path);
            error(entry.key_at, join(path, entry.key),
                  fmt::format("unknown key `{}`{}{}", shortened(entry.key, 64), where, suggestion(entry.key, known)));
        }
        for (const SchemaNode& child : schema.children) {
            if (!child.key->required || node.find(child.name) != nullptr) continue;
            const std::string where = path.empty() ? std::string() : fmt::format(" in `{}`", path);
            error(owner, join(path, child.name), fmt::format("missing key `{}`{}: expected {}", child.name, where, expected(*child.key)));
        }
    }

    void check_items(const Node& node, const SchemaNode& schema, const std::string& path) {
        if (schema.key->required && node.items.empty()) {
            error(node.at, path, fmt::format("{}: expected at least one entry, found an empty list", name_of(*schema.key, path)));
        }
        for (std::size_t i = 0; i < node.items.size(); ++i) {
            check(node.items[i], *schema.element, node.items[i].at, fmt::format("{}[{}]", path, i));
        }
    }

    void check_map(const Node& node, const SchemaNode& schema, const std::string& path) {
        for (const Entry& entry : node.entries) check(entry.value, *schema.element, entry.key_at, join(path, entry.key));
    }

    Problems& problems_;
};

}  // namespace

const SchemaNode* SchemaNode::child(std::string_view child_name) const {
    const auto found_child =
        std::find_if(children.begin(), children.end(), [&](const SchemaNode& node) { return node.name == child_name; });
    return found_child == children.end() ? nullptr : &*found_child;
}

std::string_view last_name(std::string_view path) {
    const std::size_t dot = path.find_last_of('.');
    return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

namespace {

SchemaNode copy_of(const SchemaNode& from) {
    SchemaNode out;
    out.key = from.key;
    out.name = from.name;
    for (const SchemaNode& each : from.children) out.children.push_back(copy_of(each));
    if (from.element != nullptr) out.element = std::make_unique<SchemaNode>(copy_of(*from.element));
    return out;
}

}  // namespace

SchemaNode build_schema(std::span<const Key> keys) {
    SchemaNode root;
    for (const Key& key : keys) {
        SchemaNode* at = &root;
        for (std::string_view rest = key.path; !rest.empty();) {
            const std::string_view part = take_part(rest);
            const bool element = part == "[]" || part == "*";
            SchemaNode* next = element ? at->element.get() : const_cast<SchemaNode*>(at->child(part));
            if (next == nullptr) {
                base::check(rest.empty(), "config: a key stands before its parent in the table");
                if (element) {
                    at->element = std::make_unique<SchemaNode>();
                    next = at->element.get();
                } else {
                    next = &at->children.emplace_back();
                }
                next->key = &key;
                next->name = part;
            }
            at = next;
        }
        if (key.like.empty()) continue;
        const SchemaNode* model = root.child(key.like);
        base::check(model != nullptr, "config: a section is like one that stands behind it");
        for (const SchemaNode& each : model->children) {
            if (each.kind() != KeyKind::map) at->children.push_back(copy_of(each));
        }
    }
    return root;
}

std::string scalar_problem(const Key& key, const Node& node, std::string_view path) {
    if (node.kind == Node::Kind::scalar && scalar_fits(key, node)) return {};
    std::string message = fmt::format("{}: expected {}, found {}", name_at(key, path), expected(key), found(key, node));
    if (node.kind != Node::Kind::scalar) return message;
    if (key.kind == KeyKind::choice) {
        std::vector<std::string_view> words;
        for (std::string_view rest = key.choices; !rest.empty();) {
            const std::size_t end = std::min(rest.find(" | "), rest.size());
            words.push_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 3, rest.size()));
        }
        if (const std::string_view best = nearest(node.text, words); !best.empty()) message += fmt::format("; did you mean `{}`?", best);
    }
    const bool bare = key.kind == KeyKind::boolean || key.kind == KeyKind::integer || key.kind == KeyKind::number;
    Node unquoted = node;
    unquoted.plain = true;
    if (bare && !node.plain && scalar_fits(key, unquoted)) message += " as text: take the quotes away";
    return message;
}

void validate(const Node& document, const SchemaNode& schema, Problems& problems) {
    Validator(problems).check(document, schema, Position{}, {});
}

}  // namespace sluice::config
