#include "flow/bridge/topic_map.hpp"

#include <algorithm>

#include "data/topic.hpp"

namespace sluice::bridge {
namespace {

constexpr std::size_t kTopicBytesMax = 65'535;

void add(std::vector<TopicMap::Filter>& to, std::string filter, std::uint8_t qos) {
    const auto same = std::find_if(to.begin(), to.end(), [&](const TopicMap::Filter& each) { return each.filter == filter; });
    if (same == to.end()) return to.push_back({std::move(filter), qos});
    same->qos = std::max(same->qos, qos);
}

}  // namespace

TopicMap::TopicMap(const std::vector<Map>& maps) {
    for (const Map& map : maps) {
        if (map.outwards()) {
            out_.push_back({map.local_filter(), map.local_prefix, map.remote_prefix});
            add(local_, map.local_filter(), map.qos);
        }
        if (map.inwards()) {
            in_.push_back({map.remote_filter(), map.remote_prefix, map.local_prefix});
            add(remote_, map.remote_filter(), map.qos);
        }
    }
}

std::optional<std::string_view> TopicMap::translate(const std::vector<Row>& rows, std::string_view topic, std::string& scratch) {
    const auto row = std::find_if(rows.begin(), rows.end(), [topic](const Row& each) { return data::filter_matches(each.filter, topic); });
    if (row == rows.end()) return std::nullopt;
    scratch = row->to;
    if (topic.size() >= row->from.size()) {
        scratch += topic.substr(row->from.size());
    } else if (!scratch.empty() && scratch.back() == '/') {
        scratch.pop_back();  // `site/#` matches `site`, too: what is above the one prefix becomes what is above the other
    }
    if (scratch.empty() || scratch.size() > kTopicBytesMax) return std::nullopt;
    return scratch;
}

std::optional<std::string_view> TopicMap::to_remote(std::string_view local, std::string& scratch) const {
    return translate(out_, local, scratch);
}

std::optional<std::string_view> TopicMap::to_local(std::string_view remote, std::string& scratch) const {
    return translate(in_, remote, scratch);
}

bool TopicMap::comes_back(std::string_view remote) const {
    return std::any_of(in_.begin(), in_.end(), [remote](const Row& each) { return data::filter_matches(each.filter, remote); });
}

}  // namespace sluice::bridge
