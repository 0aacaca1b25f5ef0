// SQL text to tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flow/rules/problems.hpp"

namespace sluice::rules {

struct Token {
    enum class Kind : std::uint8_t {
        name,         ///< a bare word, a keyword perhaps; `text` as written
        quoted_name,  ///< "in double quotes"; `text` without them
        text,         ///< 'in single quotes'; `text` without them
        number,       ///< `text` as written
        symbol,       ///< an operator or punctuation mark
        end,
    };
    Kind kind = Kind::end;
    std::string text;
    std::size_t offset = 0;
    std::size_t stop = 0;  ///< offset behind it
};

/// Ends with a token of kind `end`. What cannot be a token is reported and left out.
[[nodiscard]] std::vector<Token> tokenize(std::string_view sql, Problems& problems);

}  // namespace sluice::rules
