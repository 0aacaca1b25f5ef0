// Topics with columns in them: `sensors/{device}/vibration`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/csv/csv_reader.hpp"

namespace sluice::cli {

class TopicTemplate {
public:
    /// Nothing if the text can never make a topic name; `problem` then says why, for people.
    static std::optional<TopicTemplate> parse(std::string_view text, std::string& problem);

    /// Finds the columns by name. The first name that is no column, or nothing when all are there.
    [[nodiscard]] std::optional<std::string> bind(std::span<const std::string> columns);

    /// The topic of a row. False if a column is empty or would make it no topic name (a wildcard, a control character); `problem` says why.
    [[nodiscard]] bool make(std::span<const csv::Field> row, std::string& topic, std::string& problem) const;

private:
    struct Part {
        std::string text;  // as it stands; the column's name for a column
        bool is_column = false;
        std::size_t column = 0;
    };
    std::vector<Part> parts_;
};

}  // namespace sluice::cli
