// Hands a rule's output rows to their destinations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "data/reading.hpp"
#include "flow/router/destination.hpp"

namespace sluice::router {

/// What the router needs downstream; implemented by the gateway's shard.
class Sink {
public:
    virtual ~Sink() = default;
    /// To local subscribers. Views are valid during the call.
    virtual void publish(std::string_view topic, base::ByteView payload) = 0;
    /// To the spool. Views are valid during the call.
    virtual void spool(const data::Event& event) = 0;
};

/// Gives the columns of one row as text; the wiring implements it over the rules' values.
class Columns {
public:
    virtual ~Columns() = default;
    /// Appends the value of column `index` as it is to stand in a topic: text as such, numbers as in JSON, NULL as nothing.
    virtual void append_text(std::size_t index, base::Bytes& to) const = 0;
};

/// One output row.
struct Row {
    base::ByteView json;
    base::WallTime made;
    std::string_view topic;  ///< of the reading that caused it; empty where time caused it: `{topic(n)}` is then `_`
    const Columns& columns;
};

struct RuleRoutes {
    std::string rule;  ///< its id, as events carry it
    std::vector<Destination> to;
};

/// Owned by one shard thread; no allocation per row.
class Router {
public:
    struct Counters {
        std::uint64_t published = 0;
        std::uint64_t spooled = 0;
    };

    /// In the order of the rules.
    explicit Router(std::vector<RuleRoutes> rules);

    /// Each destination of the rule once, in the configuration's order. `rule` is below the number of rules.
    void route(std::size_t rule, const Row& row, Sink& sink);

    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    std::vector<RuleRoutes> rules_;
    base::Bytes topic_;
    base::Bytes value_;
    Counters counters_;
};

}  // namespace sluice::router
