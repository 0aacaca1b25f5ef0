// Functions that judge a machine by a standard's table.
#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "flow/rules/arguments.hpp"
#include "flow/rules/function_families.hpp"
#include "flow/rules/machine_classes.hpp"

namespace sluice::rules {
namespace {

/// Arguments: velocity, and the name of a class or its three limits.
Value iso20816_zone(Scope& scope, const Arguments& arguments) {
    for (std::uint32_t i = 0; i < arguments.size(); ++i) {
        if (arguments.at(i).is_null()) return Value::null();
    }
    const Value velocity = arguments.at(0);
    if (!velocity.is_numeric() || !(velocity.as_double() >= 0)) return bad_value(scope);
    std::array<double, 3> limits{};
    const Value first = arguments.at(1);
    if (arguments.size() == 2 && first.kind() == json::Kind::text) {
        const auto* const known = find_machine_class(first.as_view(), scope.program->machine_classes);
        if (known == nullptr) return bad_value(scope);
        limits = *known;
    } else {
        for (std::uint32_t i = 0; i < limits.size(); ++i) {
            const Value limit = i + 1 < arguments.size() ? arguments.at(i + 1) : Value::null();
            if (!limit.is_numeric()) return bad_value(scope);
            limits[i] = limit.as_double();
        }
        if (!(limits[0] < limits[1] && limits[1] < limits[2])) return bad_value(scope);
    }
    constexpr std::string_view kZones[] = {"A", "B", "C", "D"};
    std::size_t zone = 0;
    while (zone < limits.size() && velocity.as_double() > limits[zone]) ++zone;
    return Value::text(kZones[zone]);
}

}  // namespace

// clang-format off
constinit const Family<Function::iso20816_zone, Function::iso20816_zone> kMachineFunctions{{
    {Function::iso20816_zone, "iso20816_zone", "", FunctionKind::scalar, "nk[nn]", Type::text, "iso20816_zone(velocity, class), iso20816_zone(velocity, a, b, c)", "zone 'A', 'B', 'C' or 'D' of a machine by its vibration in mm/s (rms); class: 'group1-rigid', 'group1-flexible', 'group2-rigid', 'group2-flexible' or one of `iso20816` of the configuration; or the upper limits of A, B and C", "iso20816_zone(3.2, 'group1-rigid')", "\"B\"", iso20816_zone},
}};
// clang-format on

}  // namespace sluice::rules
