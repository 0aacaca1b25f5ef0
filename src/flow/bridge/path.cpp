#include "flow/bridge/path.hpp"

#include "data/bridge.hpp"

namespace sluice::bridge {
namespace {

using mqtt::Property;
using mqtt::PropertyItem;

bool is_hop(const PropertyItem& item) { return item.id == Property::user_property && item.name == data::kBridgePath; }

}  // namespace

bool has_been_at(const mqtt::Properties& properties, std::string_view gateway) {
    if (gateway.empty() || !properties.has(Property::user_property)) return false;
    bool found = false;
    properties.for_each([&](const PropertyItem& item) { found = found || (is_hop(item) && item.text == gateway); });
    return found;
}

bool is_path_full(const mqtt::Properties& properties) {
    if (!properties.has(Property::user_property)) return false;
    std::size_t hops = 0;
    properties.for_each([&](const PropertyItem& item) { hops += is_hop(item) ? 1U : 0U; });
    return hops >= data::kBridgePathMax;
}

mqtt::Properties passed_on(const mqtt::Properties& from, std::string_view gateway, base::Bytes& buffer) {
    buffer.clear();
    mqtt::PropertyWriter writer(buffer);
    std::string_view last;
    from.for_each([&](const PropertyItem& item) {
        if (item.id == Property::topic_alias || item.id == Property::subscription_identifier) return;
        if (is_hop(item)) last = item.text;
        writer.item(item);
    });
    if (!gateway.empty() && last != gateway) writer.user(data::kBridgePath, gateway);
    return writer.done();
}

}  // namespace sluice::bridge
