#include "gateway/bridges.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/hash.hpp"
#include "gateway/client_tls.hpp"
#include "manage/config/load.hpp"

namespace sluice::gateway {
namespace {

bridge::Options options_of(const config::GatewayConfig& config, const config::BridgeConfig& from) {
    bridge::Options out;
    out.name = from.name.value;
    out.gateway = config.gateway.id;
    out.client_id = from.client_id;
    out.user = from.user;
    out.password = from.password;
    for (const auto& topic : from.topics) {
        out.topics.push_back({.direction = static_cast<bridge::Direction>(topic.direction),
                              .qos = topic.qos,
                              .filter = topic.filter,
                              .local_prefix = topic.local_prefix,
                              .remote_prefix = topic.remote_prefix});
    }
    out.version = static_cast<bridge::Protocol>(from.version);
    out.clean_start = from.clean_start;
    out.keep_alive = std::chrono::duration_cast<std::chrono::seconds>(from.keep_alive);
    out.queue_messages = from.queue_messages;
    out.queue_bytes = from.queue_bytes;
    out.payload_bytes_max = config.limits.payload;
    return out;
}
static_assert(static_cast<int>(config::BridgeDirection::both) == static_cast<int>(bridge::Direction::both));
static_assert(static_cast<int>(config::BridgeVersion::v311) == static_cast<int>(bridge::Protocol::v311));

std::vector<std::string> remote_filters(const config::BridgeConfig& config) {
    std::vector<std::string> out;
    for (const auto& topic : config.topics)
        if (topic.direction != config::BridgeDirection::out) out.push_back(topic.remote_prefix + topic.filter);
    return out;
}

}  // namespace

void Bridges::start(const config::GatewayConfig& config, std::span<const std::string> left_over) {
    for (std::size_t i = 0; i < config.bridges.size(); ++i) start_one(config, i, {});
    for (const std::string& name : left_over)
        if (!running_.contains(name)) retire(config, name);
}

void Bridges::reload(const config::GatewayConfig& config) {
    std::erase_if(retiring_, [](const Retiring& each) { return each.thread->finished(); });
    std::set<std::string> names;
    for (const auto& each : config.bridges) names.insert(each.name.value);
    std::vector<std::string> gone;
    for (const auto& [name, each] : running_)
        if (!names.contains(name)) gone.push_back(name);
    for (const std::string& name : gone) {
        running_.erase(name);  // before its session is ended: two threads must not have one client id
        board_.remove(name);
        retire(config, name);
        spdlog::info("reload: bridge {} removed", name);
    }
    for (std::size_t i = 0; i < config.bridges.size(); ++i) {
        const config::BridgeConfig& now = config.bridges[i];
        const auto found = running_.find(now.name.value);
        if (found == running_.end()) {
            start_one(config, i, {});
            spdlog::info("reload: bridge {} added", now.name.value);
        } else if (!(found->second.config == now) || found->second.payload != config.limits.payload ||
                   found->second.files != hash_of_files(now)) {
            auto former = remote_filters(found->second.config);
            running_.erase(found);
            start_one(config, i, std::move(former));
            spdlog::info("reload: bridge {} changed", now.name.value);
        }
    }
}

void Bridges::start_one(const config::GatewayConfig& config, std::size_t index, std::vector<std::string> former_filters) {
    const config::BridgeConfig& from = config.bridges[index];
    BridgeThread::Options options;
    options.bridge = options_of(config, from);
    options.bridge.former_filters = std::move(former_filters);
    options.host = from.host;
    options.port = from.port;
    // Two threads must not have one client id: one that is to end this bridge's session has nothing to end any more.
    std::erase_if(retiring_, [&from](const Retiring& each) { return each.name == from.name.value; });
    if (from.tls) {
        config::Problems problems;
        options.tls = make_bridge_tls(from, fmt::format("bridges[{}]", index), files_, problems);
        for (const auto& each : problems) spdlog::warn("{}", config::format(config.file, each));
        if (options.tls == nullptr)
            spdlog::error("bridge {}: its certificates cannot be used, it does not run; put them right and reload", from.name.value);
        if (options.tls == nullptr) return board_.remove(from.name.value);
    }
    auto gauges = std::make_shared<BridgeGauges>(from.name.value, from.url);
    board_.add(gauges);
    Running& to = running_[from.name.value];
    to.config = from;
    to.payload = config.limits.payload;
    to.files = hash_of_files(from);
    to.thread = std::make_unique<BridgeThread>(std::move(options), clock_, entropy_, board_, std::move(gauges));
}

void Bridges::retire(const config::GatewayConfig& config, const std::string& name) {
    BridgeThread::Options options;
    options.bridge.name = name;
    options.bridge.gateway = config.gateway.id;
    options.bridge.retired = true;
    auto gauges = std::make_shared<BridgeGauges>(name, std::string());
    retiring_.push_back({name, std::make_unique<BridgeThread>(std::move(options), clock_, entropy_, board_, std::move(gauges))});
}

std::uint64_t Bridges::hash_of_files(const config::BridgeConfig& bridge) const {
    constexpr std::size_t kBytesMax = 16 * 1024 * 1024;
    std::uint64_t hash = 0;
    for (const config::Path* path : {&bridge.ca, &bridge.cert, &bridge.key}) {
        if (path->empty()) continue;
        if (const auto text = config::read_text(files_, path->value, kBytesMax)) hash = base::hash64(*text, hash + 1);
    }
    return hash;
}

}  // namespace sluice::gateway
