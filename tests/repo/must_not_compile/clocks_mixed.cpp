// expect: no match for 'operator-'
#include "base/time.hpp"

auto caller(sluice::base::WallTime wall, sluice::base::Monotonic monotonic) { return wall - monotonic; }
