#include "gateway/sys_topics.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace sluice::gateway {
namespace {

struct Row {
    std::string_view topic;
    std::uint64_t SysTotals::*value;
};

/// Where mosquitto has two names for one thing, both are there.
constexpr std::array kRows{
    Row{"clients/total", &SysTotals::clients_total},
    Row{"clients/connected", &SysTotals::clients_connected},
    Row{"clients/active", &SysTotals::clients_connected},
    Row{"clients/expired", &SysTotals::clients_expired},
    Row{"subscriptions/count", &SysTotals::subscriptions},
    Row{"shared_subscriptions/count", &SysTotals::shared_subscriptions},
    Row{"retained messages/count", &SysTotals::retained},
    Row{"messages/stored", &SysTotals::stored},
    Row{"store/messages/count", &SysTotals::stored},
    Row{"store/messages/bytes", &SysTotals::stored_bytes},
    Row{"messages/received", &SysTotals::messages_received},
    Row{"messages/sent", &SysTotals::messages_sent},
    Row{"publish/messages/received", &SysTotals::publish_received},
    Row{"publish/messages/sent", &SysTotals::publish_sent},
    Row{"publish/messages/dropped", &SysTotals::publish_dropped},
    Row{"publish/bytes/received", &SysTotals::publish_bytes_received},
    Row{"publish/bytes/sent", &SysTotals::publish_bytes_sent},
    Row{"bytes/received", &SysTotals::bytes_received},
    Row{"bytes/sent", &SysTotals::bytes_sent},
    Row{"heap/current", &SysTotals::memory},
    Row{"heap/maximum", &SysTotals::memory_peak},
};

constexpr std::array kLoadRows{
    Row{"messages/received", &SysTotals::messages_received},
    Row{"messages/sent", &SysTotals::messages_sent},
    Row{"publish/received", &SysTotals::publish_received},
    Row{"publish/sent", &SysTotals::publish_sent},
    Row{"publish/dropped", &SysTotals::publish_dropped},
    Row{"bytes/received", &SysTotals::bytes_received},
    Row{"bytes/sent", &SysTotals::bytes_sent},
    Row{"sockets", &SysTotals::sockets},
    Row{"connections", &SysTotals::connections},
};

}  // namespace

SysTopics::SysTopics(std::string_view version, base::Monotonic started) : version_(version), started_(started), updated_(started) {
    static_assert(kLoadRows.size() == kLoads);
}

void SysTopics::update(const SysTotals& totals, base::Monotonic now, const Publish& publish) {
    set("version", version_, publish);
    const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(now - started_).count();
    set("uptime", fmt::format("{} seconds", uptime), publish);
    for (const Row& row : kRows) set(row.topic, fmt::format("{}", totals.*row.value), publish);
    clients_maximum_ = std::max(clients_maximum_, totals.clients_connected);
    set("clients/maximum", fmt::format("{}", clients_maximum_), publish);
    const auto away = totals.clients_total - std::min(totals.clients_total, totals.clients_connected);
    set("clients/disconnected", fmt::format("{}", away), publish);
    set("clients/inactive", fmt::format("{}", away), publish);
    update_loads(totals, now, publish);
}

/// Moving averages, events a minute over about 1, 5 and 15 minutes: exponential decay, as a Unix load average.
void SysTopics::update_loads(const SysTotals& totals, base::Monotonic now, const Publish& publish) {
    const double minutes = std::chrono::duration<double>(now - updated_).count() / 60;
    if (minutes <= 0) return;
    for (std::size_t i = 0; i < kLoads; ++i) {
        const auto value = kLoadRows[i].value;
        const double rate = static_cast<double>(totals.*value - before_.*value) / minutes;
        for (std::size_t span = 0; span < kLoadMinutes.size(); ++span) {
            double& load = loads_[i][span];
            load = rate + std::exp(-minutes / kLoadMinutes[span]) * (load - rate);
            set(fmt::format("load/{}/{}min", kLoadRows[i].topic, kLoadMinutes[span]), fmt::format("{:.2f}", load), publish);
        }
    }
    before_ = totals;
    updated_ = now;
}

void SysTopics::set(std::string_view topic, std::string value, const Publish& publish) {
    const auto known = std::find_if(last_.begin(), last_.end(), [topic](const Last& one) { return one.topic == topic; });
    if (known != last_.end() && known->value == value) return;
    publish(fmt::format("$SYS/broker/{}", topic), value);
    if (known != last_.end())
        known->value = std::move(value);
    else
        last_.push_back({std::string(topic), std::move(value)});
}

}  // namespace sluice::gateway
