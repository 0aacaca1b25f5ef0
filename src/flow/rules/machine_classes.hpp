// Limits of vibration by class of machine.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace sluice::rules {

/// Upper limits of zones A, B and C: velocity in mm/s (rms), 10 to 1000 Hz, on non-rotating parts.
struct MachineClass {
    std::string_view name;
    std::array<double, 3> limits;
};

/// ISO 20816-3:2022 (the values of ISO 10816-3:2009), tables of zone boundaries. Group 1: above 300 kW, or motors with shaft height
/// 315 mm and above. Group 2: 15 to 300 kW, or motors with shaft height 160 to 315 mm.
inline constexpr std::array kMachineClasses{
    MachineClass{"group1-rigid", {2.3, 4.5, 7.1}},
    MachineClass{"group1-flexible", {3.5, 7.1, 11.0}},
    MachineClass{"group2-rigid", {1.4, 2.8, 4.5}},
    MachineClass{"group2-flexible", {2.3, 4.5, 7.1}},
};

/// A class of the user's.
struct NamedMachineClass {
    std::string name;
    std::array<double, 3> limits;
};

/// nullptr: there is none, of the standard's or of these.
[[nodiscard]] inline const std::array<double, 3>* find_machine_class(std::string_view name, std::span<const NamedMachineClass> others) {
    for (const MachineClass& known : kMachineClasses) {
        if (known.name == name) return &known.limits;
    }
    for (const NamedMachineClass& known : others) {
        if (known.name == name) return &known.limits;
    }
    return nullptr;
}

}  // namespace sluice::rules
