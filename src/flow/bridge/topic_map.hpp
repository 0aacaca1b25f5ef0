// Which local topic is which remote one: mosquitto's topic maps. A filter, and a prefix on each side that takes the other's place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::bridge {

enum class Direction : std::uint8_t { in, out, both };

struct Map {
    Direction direction = Direction::out;
    std::uint8_t qos = 0;  ///< 0 to 2: the highest with which messages go over
    std::string filter{};  ///< behind the prefixes; empty: the prefixes are the two topics
    std::string local_prefix{};
    std::string remote_prefix{};

    [[nodiscard]] bool outwards() const { return direction != Direction::in; }
    [[nodiscard]] bool inwards() const { return direction != Direction::out; }
    [[nodiscard]] std::string local_filter() const { return local_prefix + filter; }
    [[nodiscard]] std::string remote_filter() const { return remote_prefix + filter; }
    friend bool operator==(const Map&, const Map&) = default;
};

/// The maps of one bridge. Of several that match, the first in their order counts.
class TopicMap {
public:
    /// What maps make valid filters of both sides is the configuration's to check.
    explicit TopicMap(const std::vector<Map>& maps);

    /// The other side's topic; a view of `scratch`. nullopt: no map matches, or the topic would be empty or too long there.
    [[nodiscard]] std::optional<std::string_view> to_remote(std::string_view local, std::string& scratch) const;
    [[nodiscard]] std::optional<std::string_view> to_local(std::string_view remote, std::string& scratch) const;
    /// Do we subscribe to this topic at the remote? Then it sends back what we publish there, unless it knows better.
    [[nodiscard]] bool comes_back(std::string_view remote) const;

    struct Filter {
        std::string filter;
        std::uint8_t qos;
        friend bool operator==(const Filter&, const Filter&) = default;
    };
    /// To subscribe to: each once, with its highest QoS.
    [[nodiscard]] const std::vector<Filter>& local_filters() const { return local_; }
    [[nodiscard]] const std::vector<Filter>& remote_filters() const { return remote_; }

private:
    struct Row {
        std::string filter;
        std::string from;
        std::string to;
    };
    static std::optional<std::string_view> translate(const std::vector<Row>& rows, std::string_view topic, std::string& scratch);
    std::vector<Row> out_;
    std::vector<Row> in_;
    std::vector<Filter> local_;
    std::vector<Filter> remote_;
};

}  // namespace sluice::bridge
