// What this binary was built with: parts that CMake options leave out.
#pragma once

namespace sluice::config {

/// SLUICE_KAFKA: the uplink over kafka:// and kafkas://.
[[nodiscard]] bool is_kafka_built();

}  // namespace sluice::config
