// `$SYS/broker/…`: the topics that mosquitto has and that tools for brokers read. Retained; a topic is published when its value changes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace sluice::gateway {

/// Of all shards. Totals since start but for the gauges.
struct SysTotals {
    std::uint64_t clients_connected = 0;  ///< gauge
    std::uint64_t clients_total = 0;      ///< gauge: sessions, with those of absent clients
    std::uint64_t clients_expired = 0;
    std::uint64_t subscriptions = 0;         ///< gauge: without those of groups, as mosquitto counts
    std::uint64_t shared_subscriptions = 0;  ///< gauge: those of groups
    std::uint64_t retained = 0;              ///< gauge
    std::uint64_t stored = 0;                ///< gauge: messages in flight and queued
    std::uint64_t stored_bytes = 0;          ///< gauge
    std::uint64_t messages_received = 0;     ///< packets of any kind
    std::uint64_t messages_sent = 0;
    std::uint64_t publish_received = 0;
    std::uint64_t publish_sent = 0;
    std::uint64_t publish_dropped = 0;
    std::uint64_t publish_bytes_received = 0;  ///< payloads
    std::uint64_t publish_bytes_sent = 0;
    std::uint64_t bytes_received = 0;  ///< of sockets
    std::uint64_t bytes_sent = 0;
    std::uint64_t sockets = 0;      ///< connections accepted
    std::uint64_t connections = 0;  ///< CONNECTs accepted
    std::uint64_t memory = 0;       ///< gauge: bytes of the process in memory
    std::uint64_t memory_peak = 0;  ///< the most that there ever were
};

/// Makes the values from totals: takes time and numbers, publishes through the function it is given. One thread.
class SysTopics {
public:
    using Publish = std::function<void(std::string_view topic, std::string_view value)>;

    SysTopics(std::string_view version, base::Monotonic started);

    /// Every interval.
    void update(const SysTotals& totals, base::Monotonic now, const Publish& publish);

private:
    static constexpr std::size_t kLoads = 9;
    static constexpr std::array<double, 3> kLoadMinutes{1, 5, 15};

    void set(std::string_view topic, std::string value, const Publish& publish);
    void update_loads(const SysTotals& totals, base::Monotonic now, const Publish& publish);

    struct Last {
        std::string topic;
        std::string value;
    };
    std::string version_;
    base::Monotonic started_;
    base::Monotonic updated_;
    std::uint64_t clients_maximum_ = 0;
    SysTotals before_;
    std::array<std::array<double, 3>, kLoads> loads_{};  // events a minute
    std::vector<Last> last_;
};

}  // namespace sluice::gateway
