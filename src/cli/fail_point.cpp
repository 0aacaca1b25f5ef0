#include "cli/fail_point.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include "base/fail_point.hpp"

namespace sluice::cli {
namespace {

base::FailPoint chosen{};
std::atomic<unsigned> visits_left{0};

void die_there(base::FailPoint point) {
    if (point != chosen || visits_left.fetch_sub(1) != 1) return;
    fmt::print(stderr, "SLUICE_FAILPOINT: ends here, as asked\n");
    ::kill(::getpid(), SIGKILL);
}

}  // namespace

bool arm_fail_point(std::string_view tier) {
    const char* text = std::getenv("SLUICE_FAILPOINT");
    if (text == nullptr || *text == '\0') return true;
    std::string_view name(text);
    unsigned visit = 1;
    bool good = true;
    if (const auto colon = name.find(':'); colon != std::string_view::npos) {
        const std::string_view number = name.substr(colon + 1);
        const auto read = std::from_chars(number.data(), number.data() + number.size(), visit);
        good = read.ec == std::errc{} && read.ptr == number.data() + number.size() && visit != 0;
        name = name.substr(0, colon);
    }
    const auto& table = base::kFailPointTable;
    const auto found = std::find_if(table.begin(), table.end(), [&](const auto& each) { return each.name == name && each.tier == tier; });
    if (!good || found == table.end()) {
        fmt::print(stderr, "SLUICE_FAILPOINT: expected NAME or NAME:VISIT of a place in a {}, found `{}`; names are:\n", tier, text);
        for (const auto& each : table) fmt::print(stderr, "  {} ({}): {}\n", each.name, each.tier, each.text);
        return false;
    }
    chosen = found->point;
    visits_left = visit;
    base::fail_point_hook = &die_there;
    return true;
}

}  // namespace sluice::cli
