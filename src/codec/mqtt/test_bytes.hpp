// For tests: bytes written as hex with text in quotes, `hex("30 05 00 03 'a/b'")`.
#pragma once

#include <stdexcept>
#include <string_view>

#include "base/bytes.hpp"

namespace sluice::mqtt::testing {

[[nodiscard]] inline base::Bytes hex(std::string_view text) {
    base::Bytes bytes;
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        throw std::invalid_argument("hex(): not a digit");
    };
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == ' ') {
            ++i;
        } else if (text[i] == '\'') {
            const auto end = text.find('\'', i + 1);
            base::append(bytes, text.substr(i + 1, end - i - 1));
            i = end + 1;
        } else {
            bytes.push_back(static_cast<base::Byte>(digit(text[i]) << 4 | digit(text.at(i + 1))));
            i += 2;
        }
    }
    return bytes;
}

}  // namespace sluice::mqtt::testing
