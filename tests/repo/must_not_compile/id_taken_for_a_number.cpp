// expect: cannot convert
#include "data/reading.hpp"

std::uint64_t caller(sluice::data::Sequence sequence) { return sequence; }
