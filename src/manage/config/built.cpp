#include "manage/config/built.hpp"

namespace sluice::config {

bool is_kafka_built() { return SLUICE_KAFKA_BUILT; }  // CMakeLists.txt says which

}  // namespace sluice::config
