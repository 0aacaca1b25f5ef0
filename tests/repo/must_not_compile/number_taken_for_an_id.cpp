// expect: could not convert
#include "data/reading.hpp"

void acknowledge(sluice::data::Sequence up_to);

void caller() { acknowledge(7); }
