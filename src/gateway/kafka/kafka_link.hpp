// Kafka as the cloud, by librdkafka: an idempotent producer for each connection, and its delivery reports as acknowledgements.
#pragma once

#include "gateway/cloud_connection.hpp"
#include "gateway/kafka/options.hpp"

namespace sluice::gateway {

[[nodiscard]] CloudConnector make_kafka_connector(KafkaOptions options);

}  // namespace sluice::gateway
