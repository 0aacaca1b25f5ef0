// Where a rule's rows go: a local topic, made from a template, or an event class for the cloud.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "data/reading.hpp"

namespace sluice::router {

/// What is wrong with a topic template.
struct TemplateError {
    std::size_t offset = 0;  ///< in bytes from the start of the template
    std::string message;
};

/// A compiled topic template: `alerts/{device}`, `maintenance/{topic(2)}`. `{{` and `}}` stand for the braces themselves.
/// A value put into a topic is made safe: each `/`, `+`, `#`, control character (U+0000 to U+001F, U+007F) becomes `_`; an empty or NULL
/// value becomes `_`; a value is cut to kValueBytesMax (at a character's border). So a value can never add or remove a level;
/// nor can it make a topic begin with `$`: that becomes `_` as well.
class TopicTemplate {
public:
    static constexpr std::size_t kValueBytesMax = 256;

    struct Piece {
        enum class Kind : std::uint8_t { literal, column, topic, topic_level } kind;
        std::string literal;
        std::size_t index = 0;  ///< of the column, or the level (from 1)
    };

    [[nodiscard]] std::span<const Piece> pieces() const { return pieces_; }

private:
    friend struct TemplateResult;
    friend struct TemplateCompiler;
    std::vector<Piece> pieces_;
};

struct TemplateResult {
    TopicTemplate value;                ///< usable when errors is empty
    std::vector<TemplateError> errors;  ///< all of them
};

/// `columns`: names of the rule's output columns. Errors: a column that the rule does not produce (with a suggestion), an unclosed brace,
/// an empty name, a bad `topic(n)`, a wildcard or an empty topic. Column names that are quoted in SQL are written as they are: `{Air
/// temperature [K]}`.
[[nodiscard]] TemplateResult compile_template(std::string_view text, std::span<const std::string> columns);

/// The columns that a template names, in order, without `topic` and `topic(n)`; wrong templates give what can be read of them.
[[nodiscard]] std::vector<std::string> template_columns(std::string_view text);

/// To a local topic.
struct ToTopic {
    TopicTemplate topic;
};
/// To the cloud, through the spool.
struct ToCloud {
    data::ClassIndex event_class;
};
using Destination = std::variant<ToTopic, ToCloud>;

}  // namespace sluice::router
