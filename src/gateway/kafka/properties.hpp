// The uplink's options as librdkafka's own.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/kafka/options.hpp"

namespace sluice::gateway {

using KafkaProperties = std::vector<std::pair<std::string_view, std::string>>;

/// `batch_bytes_max`: what the brokers are known to take, at most options.batch_bytes_max.
[[nodiscard]] KafkaProperties kafka_properties(const KafkaOptions& options, std::size_t batch_bytes_max);

}  // namespace sluice::gateway
