// Operators and scalar functions on values that are there already.
#pragma once

#include <string>
#include <vector>

#include "datum.hpp"

namespace sluice::rules::plain {

/// + - * / % || = <> < <= > >=
[[nodiscard]] Datum apply(const std::string& name, const Datum& a, const Datum& b);
[[nodiscard]] Datum logical_and(const Datum& a, const Datum& b);
[[nodiscard]] Datum logical_not(const Datum& a);
/// LIKE without ESCAPE, of ASCII.
[[nodiscard]] Datum like(const Datum& text, const Datum& pattern);
[[nodiscard]] Datum cast(const std::string& type, const Datum& value);
/// Those that case_maker.cpp uses; others stop the program.
[[nodiscard]] Datum scalar(const std::string& name, const std::vector<Datum>& arguments);

}  // namespace sluice::rules::plain
