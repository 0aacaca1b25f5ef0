// Where the rows of each family of functions are: for functions.cpp and the families' own files.
#pragma once

#include "flow/rules/functions.hpp"

namespace sluice::rules {

/// The functions from `first` to `last`.
template <Function first, Function last>
using Family = std::array<FunctionInfo, static_cast<std::size_t>(last) - static_cast<std::size_t>(first) + 1>;

extern const Family<Function::abs, Function::isinf> kMathFunctions;
extern const Family<Function::greatest, Function::isundefined> kConditionalFunctions;
extern const Family<Function::upper, Function::format> kTextFunctions;
extern const Family<Function::length, Function::split_value> kSearchFunctions;
extern const Family<Function::regexp_matches, Function::regexp_replace> kRegexpFunctions;
extern const Family<Function::now, Function::day_of_year> kTimeFunctions;
extern const Family<Function::md5, Function::url_decode> kEncodingFunctions;
extern const Family<Function::to_json, Function::type_of> kJsonFunctions;
extern const Family<Function::array, Function::unnest> kArrayFunctions;
extern const Family<Function::topic, Function::window_end> kReadingFunctions;
extern const Family<Function::zscore, Function::last_hit_count> kStateFunctions;
extern const Family<Function::robust_z, Function::gap> kDetectionFunctions;
extern const Family<Function::wave_rms, Function::bearing_fault> kWaveformFunctions;
extern const Family<Function::iso20816_zone, Function::iso20816_zone> kMachineFunctions;
extern const Family<Function::count, Function::collect> kAggregateFunctions;
extern const Family<Function::infer, Function::shadow> kExternalFunctions;

}  // namespace sluice::rules
