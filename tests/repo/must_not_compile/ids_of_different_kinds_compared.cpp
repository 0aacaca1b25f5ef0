// expect: no match for 'operator=='
#include "data/reading.hpp"

bool caller(sluice::data::Sequence sequence, sluice::data::Epoch epoch) { return sequence == epoch; }
