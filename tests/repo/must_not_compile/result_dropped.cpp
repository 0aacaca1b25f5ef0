// expect: ignoring returned value
#include "base/error.hpp"

sluice::base::Status work();

void caller() { work(); }
