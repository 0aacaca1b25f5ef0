#include "codec/wire/topics.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"

namespace sluice::wire {

namespace {

struct ChannelInfo {
    Channel channel;
    std::string_view name;
};
constexpr std::array kChannels{ChannelInfo{Channel::events, "events"}, ChannelInfo{Channel::status, "status"}};

bool is_id_char(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; }

}  // namespace

bool is_gateway_id(std::string_view id) {
    return !id.empty() && id.size() <= kGatewayIdBytesMax && std::all_of(id.begin(), id.end(), is_id_char);
}

std::string topic(std::string_view gateway, Channel channel) {
    base::check(is_gateway_id(gateway), "wire: not a gateway id");
    std::string text(kTopicRoot);
    text.append(gateway).append("/").append(kChannels[static_cast<std::size_t>(channel)].name);
    return text;
}

std::string client_id(std::string_view gateway) { return std::string(kClientPrefix).append(gateway); }

Address parse_topic(std::string_view topic) {
    if (!topic.starts_with(kTopicRoot)) return {};
    topic.remove_prefix(kTopicRoot.size());
    const auto slash = topic.find('/');
    if (slash == std::string_view::npos) return {};
    const auto gateway = topic.substr(0, slash);
    if (!is_gateway_id(gateway)) return {};
    for (const auto& row : kChannels)
        if (topic.substr(slash + 1) == row.name) return {.known = true, .gateway = gateway, .channel = row.channel};
    return {};
}

}  // namespace sluice::wire
