// Reading the store: pages of events, counts, gateways. A connection of its own beside the writer's; sees committed events only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "env/sqlite/database.hpp"

namespace sluice::cloud {

struct EventFilter {
    std::optional<std::string> gateway;
    std::optional<std::string> class_name;
    std::optional<std::string> rule;
    [[nodiscard]] bool all() const { return !gateway && !class_name && !rule; }
};

/// Views are valid during the call.
struct StoredEvent {
    std::int64_t id;
    std::string_view gateway;
    std::int64_t epoch;
    std::string_view class_name;
    std::string_view rule;
    std::int64_t sequence;
    std::int64_t ts_ms;
    std::string_view json;
};

class EventVisitor {
public:
    virtual ~EventVisitor() = default;
    /// False: enough.
    virtual bool event(const StoredEvent& event) = 0;
};

struct StoredGateway {
    std::string id;
    std::int64_t last_seen_ms = 0;
    std::string ledger;  ///< a JSON object, or empty
};

struct StoredGap {
    std::string gateway;
    std::int64_t epoch;
    std::string class_name;
    std::int64_t first;
    std::int64_t last;
    std::string reason;
};

/// One thread.
class EventQuery {
public:
    /// The database must exist. Errors: not_found, version, corrupt, io.
    static base::Result<std::unique_ptr<EventQuery>> open(const std::string& path);

    /// Events with id > after in order of id, up to the limit. Cost: one look into an index for each series that fits the filter, then
    /// about the same for each event, however many millions do not fit. Errors: io, corrupt.
    base::Status events(const EventFilter& filter, std::int64_t after, std::size_t limit, EventVisitor& visitor);
    /// Events with id > after. Without `after` it adds up the counts of the series that fit; with it, it walks their index behind `after`.
    /// Errors: io, corrupt.
    base::Result<std::uint64_t> count(const EventFilter& filter, std::int64_t after = 0);
    base::Result<std::vector<StoredGateway>> gateways();
    base::Result<std::vector<StoredGap>> gaps();

private:
    struct Series {
        std::int64_t id = 0;
        std::int64_t epoch = 0;
        std::string gateway, class_name, rule;
    };
    class Cursor;

    explicit EventQuery(sqlite::Database database) : database_(std::move(database)) {}
    base::Status prepare_all();
    base::Status load_series();
    base::Status merge(const std::vector<const Series*>& series, std::int64_t after, std::size_t limit, EventVisitor& visitor);
    base::Status scan(const EventFilter& filter, std::int64_t after, std::size_t limit, EventVisitor& visitor);
    [[nodiscard]] const Series* find_series(std::int64_t id) const;

    sqlite::Database database_;
    sqlite::Statement begin_, end_, new_series_, page_, one_, count_, count_after_, gateways_, gaps_;
    std::vector<Series> series_;  // by id; grows only
};

}  // namespace sluice::cloud
