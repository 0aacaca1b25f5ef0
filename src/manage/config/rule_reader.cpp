#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "manage/config/load.hpp"
#include "manage/config/reader.hpp"
#include "manage/config/suggest.hpp"

namespace sluice::config {
namespace {

/// JSON writes what is beyond U+FFFF as two escapes, YAML as one: `\ud83d\ude00` becomes `\U0001f600`.
std::string with_whole_escapes(std::string_view text) {
    const auto unit = [&](std::size_t at) -> std::uint32_t {
        if (text.size() < at + 6 || text[at] != '\\' || text[at + 1] != 'u') return 0;
        std::uint32_t value = 0;
        const auto [stop, failed] = std::from_chars(text.data() + at + 2, text.data() + at + 6, value, 16);
        return failed == std::errc{} && stop == text.data() + at + 6 ? value : 0;
    };
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const std::uint32_t high = unit(i);
        const std::uint32_t low = unit(i + 6);
        if (high >= 0xD800 && high < 0xDC00 && low >= 0xDC00 && low < 0xE000) {
            out += fmt::format("\\U{:08x}", 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
            i += 12;
            continue;
        }
        const std::size_t size = text[i] == '\\' ? 2 : 1;  // an escaped backslash begins no escape
        out += text.substr(i, size);
        i += size;
    }
    return out;
}

}  // namespace

std::vector<Destination> read_destinations(const View& view, const std::string& key, const std::vector<ClassConfig>& classes,
                                           Problems& problems) {
    std::vector<Destination> out;
    const std::vector<View> entries = view.items();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const View& entry = entries[i];
        const std::string entry_key = fmt::format("{}[{}]", key, i);
        const View topic = entry.at("topic");
        const View cloud = entry.at("cloud");
        if (topic.written() == cloud.written()) {
            const std::string_view found = topic.written() ? "both" : "neither";
            if (entry.present())
                add_error(problems, entry.position(), entry_key, fmt::format("a destination is `topic` or `cloud`: found {}", found));
            continue;
        }
        Destination destination;
        destination.at = entry.position();
        if (topic.written()) {
            destination.topic = topic.located_text();
            out.push_back(std::move(destination));
            continue;
        }
        destination.cloud = cloud.text();
        if (destination.cloud.empty()) continue;
        const auto found =
            std::find_if(classes.begin(), classes.end(), [&](const ClassConfig& row) { return row.name == destination.cloud; });
        if (found == classes.end()) {
            std::vector<std::string_view> names;
            names.reserve(classes.size());
            for (const ClassConfig& row : classes) names.push_back(row.name);
            add_error(
                problems, cloud.position(), entry_key + ".cloud",
                fmt::format("class `{}` is not declared in `uplink.classes`{}", destination.cloud, suggestion(destination.cloud, names)));
            continue;
        }
        destination.class_index = static_cast<std::uint8_t>(found - classes.begin());
        out.push_back(std::move(destination));
    }
    return out;
}

RuleConfig read_rule(const View& entry, const std::string& key, const std::vector<ClassConfig>& classes, Problems& problems) {
    RuleConfig rule;
    rule.at = entry.position();
    rule.id = entry.at("id").located();
    rule.sql = entry.at("sql").located_text();
    rule.to = read_destinations(entry.at("to"), key + ".to", classes, problems);
    const View state = entry.at("state");
    if (state.at("max_bytes").fits()) rule.state_bytes_max = state.at("max_bytes").size();
    rule.forget_oldest = state.at("when_full").fits() && state.at("when_full").choice() != 0;
    return rule;
}

LoadedRule read_rule(std::string_view text, const std::string& id, const std::vector<ClassConfig>& classes) {
    LoadedRule out;
    const std::string whole = with_whole_escapes(without_mark(text));
    const Source source(whole);
    auto document = parse_document(source, out.problems);
    if (!document) return out;
    // The id comes from elsewhere. One in the text as well must be the same: else one of the two was not meant.
    if (const Entry* own = document->find("id"); own == nullptr) {
        Node name;
        name.kind = Node::Kind::scalar;
        name.text = id;
        if (document->kind == Node::Kind::null) document->kind = Node::Kind::map;
        document->entries.push_back({"id", {}, std::move(name)});
    } else if (own->value.text != id) {
        add_error(out.problems, own->value.at, "id", fmt::format("id: expected `{}`, as it was asked for, or no id", id));
    }
    static const SchemaNode schema = build_schema(gateway_keys());
    const SchemaNode& rule = *schema.child("rules")->element;
    validate(*document, rule, out.problems);
    const ViewContext context{source, {}};
    out.rule = read_rule(View(context, rule, &*document, Position{}), {}, classes, out.problems);
    for (Problem& problem : out.problems) {
        if (problem.key.starts_with('.')) problem.key.erase(0, 1);
    }
    bound(out.problems);
    return out;
}

}  // namespace sluice::config
