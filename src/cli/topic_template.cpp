#include "cli/topic_template.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "data/topic.hpp"

namespace sluice::cli {

std::optional<TopicTemplate> TopicTemplate::parse(std::string_view text, std::string& problem) {
    TopicTemplate result;
    std::string example;  // with a letter for each column: must be a topic name
    for (std::size_t at = 0; at < text.size();) {
        const auto open = std::min(text.find('{', at), text.size());
        if (open > at) result.parts_.push_back({.text = std::string(text.substr(at, open - at))});
        example += text.substr(at, open - at);
        if (open == text.size()) break;
        const auto close = text.find('}', open);
        if (close == std::string_view::npos || close == open + 1) {
            problem = "each { needs the name of a column and a }";
            return std::nullopt;
        }
        result.parts_.push_back({.text = std::string(text.substr(open + 1, close - open - 1)), .is_column = true});
        example += 'x';
        at = close + 1;
    }
    if (!data::is_topic_name(example)) {
        problem = "a topic to publish to has at least one character and no + or # (those are for subscribers)";
        return std::nullopt;
    }
    return result;
}

std::optional<std::string> TopicTemplate::bind(std::span<const std::string> columns) {
    for (auto& part : parts_) {
        if (!part.is_column) continue;
        const auto at = std::find(columns.begin(), columns.end(), part.text);
        if (at == columns.end()) return part.text;
        part.column = static_cast<std::size_t>(at - columns.begin());
    }
    return std::nullopt;
}

bool TopicTemplate::make(std::span<const csv::Field> row, std::string& topic, std::string& problem) const {
    topic.clear();
    for (const auto& part : parts_) {
        if (part.is_column && row[part.column].text.empty()) {
            problem = fmt::format("column \"{}\" is empty, but the topic needs it", part.text);
            return false;
        }
        topic += part.is_column ? row[part.column].text : std::string_view(part.text);
    }
    if (data::is_topic_name(topic)) return true;
    problem = fmt::format("'{}' is no topic: no wildcards (+ #) or control characters, at most 65,535 bytes", topic);
    return false;
}

}  // namespace sluice::cli
