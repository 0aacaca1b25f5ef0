#include "flow/rules/decimal_cut.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace sluice::rules {

std::string_view cut_decimal(double v, std::size_t digits, Cut cut, DecimalRoom& room) {
    char* const first = room.data() + 1;
    char* end = std::to_chars(first, room.data() + room.size(), std::fabs(v), std::chars_format::fixed).ptr;
    const char* const point = std::find(first, end, '.');
    if (point == end || static_cast<std::size_t>(end - point - 1) <= digits) return {first, end};
    end = first + (point - first) + 1 + digits;
    room[0] = '0';  // for a carry
    if (*end >= static_cast<char>(cut)) {
        char* at = end - 1;
        for (; *at == '9' || *at == '.'; --at) {
            if (*at == '9') *at = '0';
        }
        ++*at;
    }
    return {room[0] == '0' ? first : room.data(), digits == 0 ? end - 1 : end};
}

}  // namespace sluice::rules
