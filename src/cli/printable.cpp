#include "cli/printable.hpp"

#include <fmt/format.h>

namespace sluice::cli {

std::string printable(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const bool c1 = c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        if (c == '\n')
            out += "\\n";
        else if (c == '\t')
            out += "\\t";
        else if (c1)
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
        else if (c < 0x20 || c == 0x7F)
            out += fmt::format("\\x{:02x}", c);
        else
            out += text[i];
    }
    return out;
}

}  // namespace sluice::cli
