#include "cloud/event_query.hpp"

#include <algorithm>
#include <queue>
#include <span>

#include "cloud/schema.hpp"

namespace sluice::cloud {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;

namespace {

/// Cursors are open statements of a few KiB; with more series than this the table is walked in order of id and filtered.
constexpr std::size_t kCursorsMax = 2'000;

bool fits(const std::optional<std::string>& wanted, const std::string& value) { return !wanted || *wanted == value; }

/// Ends the read transaction on every way out, so that the writer's checkpoints get on.
class ReadTransaction {
public:
    ReadTransaction(sqlite::Statement& begin, sqlite::Statement& end) : end_(end), status_(begin.run()) {}
    ~ReadTransaction() {
        (void)end_.run();  // nothing was written: there is nothing to lose
    }
    ReadTransaction(const ReadTransaction&) = delete;
    ReadTransaction& operator=(const ReadTransaction&) = delete;
    [[nodiscard]] const Status& status() const { return status_; }

private:
    sqlite::Statement& end_;
    Status status_;
};

}  // namespace

Result<std::unique_ptr<EventQuery>> EventQuery::open(const std::string& path) {
    auto database = sqlite::Database::open(path, sqlite::Database::Mode::read_only);
    if (!database) return database.error();
    std::unique_ptr<EventQuery> query(new EventQuery(std::move(*database)));
    auto version = query->database_.prepare("PRAGMA user_version");
    if (!version) return version.error();
    const auto row = version->step();
    if (!row) return row.error();
    if (!*row || version->integer(0) != kSchemaVersion) return Error{Errc::version};
    version->reset();
    if (auto prepared = query->prepare_all(); !prepared) return prepared.error();
    return query;
}

Status EventQuery::prepare_all() {
    struct Row {
        sqlite::Statement& statement;
        std::string_view sql;
    };
    const Row rows[] = {
        {begin_, "BEGIN"},
        {end_, "COMMIT"},
        {new_series_,
         "SELECT series.id, epoch, gateway, class, rule FROM series JOIN streams ON streams.id=series.stream WHERE series.id>?1 "
         "ORDER BY series.id"},
        {page_, "SELECT id, series, seq, ts, data FROM events WHERE id>?1 ORDER BY id"},
        {one_, "SELECT id, series, seq, ts, data FROM events WHERE id=?1"},
        {count_,
         "SELECT coalesce(sum(events), 0) FROM series JOIN streams ON streams.id=series.stream "
         "WHERE (?1='' OR gateway=?1) AND (?2='' OR class=?2) AND (?3='' OR rule=?3)"},
        {count_after_,
         "SELECT coalesce(sum((SELECT count(*) FROM events WHERE events.series=series.id AND id>?4)), 0) "
         "FROM series JOIN streams ON streams.id=series.stream "
         "WHERE (?1='' OR gateway=?1) AND (?2='' OR class=?2) AND (?3='' OR rule=?3)"},
        {gateways_, "SELECT id, last_seen, ledger FROM gateways ORDER BY id"},
        {gaps_, "SELECT gateway, epoch, class, first, last, reason FROM gaps JOIN streams ON streams.id=gaps.stream ORDER BY gaps.id"},
    };
    for (const auto& row : rows) {
        auto statement = database_.prepare(row.sql);
        if (!statement) return statement.error();
        row.statement = std::move(*statement);
    }
    return {};
}

/// Names of the series that appeared since the last call; they never change and never go.
Status EventQuery::load_series() {
    new_series_.bind(1, series_.empty() ? std::int64_t{0} : series_.back().id);
    for (;;) {
        const auto row = new_series_.step();
        if (!row || !*row) {
            new_series_.reset();
            if (!row) return row.error();
            return {};
        }
        series_.push_back({.id = new_series_.integer(0),
                           .epoch = new_series_.integer(1),
                           .gateway = std::string(new_series_.text(2)),
                           .class_name = std::string(new_series_.text(3)),
                           .rule = std::string(new_series_.text(4))});
    }
}

const EventQuery::Series* EventQuery::find_series(std::int64_t id) const {
    const auto at =
        std::lower_bound(series_.begin(), series_.end(), id, [](const Series& row, std::int64_t wanted) { return row.id < wanted; });
    return at != series_.end() && at->id == id ? &*at : nullptr;
}

Status EventQuery::events(const EventFilter& filter, std::int64_t after, std::size_t limit, EventVisitor& visitor) {
    const ReadTransaction transaction(begin_, end_);
    if (!transaction.status()) return transaction.status();
    if (auto loaded = load_series(); !loaded) return loaded;
    if (filter.all()) return scan(filter, after, limit, visitor);
    std::vector<const Series*> wanted;
    for (const auto& row : series_)
        if (fits(filter.gateway, row.gateway) && fits(filter.class_name, row.class_name) && fits(filter.rule, row.rule))
            wanted.push_back(&row);
    if (wanted.size() > kCursorsMax) return scan(filter, after, limit, visitor);
    return merge(wanted, after, limit, visitor);
}

namespace {

StoredEvent event_of(const sqlite::Statement& row, std::int64_t epoch, std::string_view gateway, std::string_view class_name,
                     std::string_view rule) {
    return {.id = row.integer(0),
            .gateway = gateway,
            .epoch = epoch,
            .class_name = class_name,
            .rule = rule,
            .sequence = row.integer(2),
            .ts_ms = row.integer(3),
            .json = row.text(4)};
}

}  // namespace

Status EventQuery::scan(const EventFilter& filter, std::int64_t after, std::size_t limit, EventVisitor& visitor) {
    page_.bind(1, after);
    Status result;
    while (limit != 0) {
        const auto row = page_.step();
        if (!row) result = row.error();
        if (!row || !*row) break;
        const auto* series = find_series(page_.integer(1));
        if (series == nullptr) {
            result = Error{Errc::corrupt};
            break;
        }
        if (!fits(filter.gateway, series->gateway) || !fits(filter.class_name, series->class_name) || !fits(filter.rule, series->rule))
            continue;
        if (!visitor.event(event_of(page_, series->epoch, series->gateway, series->class_name, series->rule))) break;
        --limit;
    }
    page_.reset();
    return result;
}

/// The ids of one series in order, straight from the index.
class EventQuery::Cursor {
public:
    Cursor(const Series* series, sqlite::Statement statement) : series_(series), statement_(std::move(statement)) {}
    Status start(std::int64_t after) {
        statement_.bind(1, series_->id).bind(2, after);
        return next();
    }
    Status next() {
        const auto row = statement_.step();
        if (!row) return row.error();
        id_ = *row ? statement_.integer(0) : 0;
        return {};
    }
    [[nodiscard]] std::int64_t id() const { return id_; }  ///< 0: at the end
    [[nodiscard]] const Series& series() const { return *series_; }

private:
    const Series* series_;
    sqlite::Statement statement_;
    std::int64_t id_ = 0;
};

Status EventQuery::merge(const std::vector<const Series*>& wanted, std::int64_t after, std::size_t limit, EventVisitor& visitor) {
    std::vector<Cursor> cursors;
    cursors.reserve(wanted.size());
    const auto later = [&cursors](std::size_t a, std::size_t b) { return cursors[a].id() > cursors[b].id(); };
    std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> heap(later);
    for (const auto* row : wanted) {
        auto statement = database_.prepare("SELECT id FROM events WHERE series=?1 AND id>?2 ORDER BY id");
        if (!statement) return statement.error();
        cursors.emplace_back(row, std::move(*statement));
        if (auto started = cursors.back().start(after); !started) return started;
        if (cursors.back().id() != 0) heap.push(cursors.size() - 1);
    }
    for (; limit != 0 && !heap.empty(); --limit) {
        const auto at = heap.top();
        heap.pop();
        auto& cursor = cursors[at];
        const auto& series = cursor.series();
        const auto row = one_.bind(1, cursor.id()).step();
        if (!row || !*row) {
            one_.reset();
            return row ? Error{Errc::corrupt} : row.error();
        }
        const bool go_on = visitor.event(event_of(one_, series.epoch, series.gateway, series.class_name, series.rule));
        one_.reset();
        if (!go_on) break;
        if (auto moved = cursor.next(); !moved) return moved;
        if (cursor.id() != 0) heap.push(at);
    }
    return {};
}

Result<std::uint64_t> EventQuery::count(const EventFilter& filter, std::int64_t after) {
    // No name is empty, so an empty text stands for "any"; a filter that asks for an empty name finds nothing.
    const auto text = [](const std::optional<std::string>& wanted) { return wanted ? std::string_view(*wanted) : std::string_view(""); };
    for (const auto* wanted : {&filter.gateway, &filter.class_name, &filter.rule})
        if (*wanted && (*wanted)->empty()) return std::uint64_t{0};
    sqlite::Statement& statement = after == 0 ? count_ : count_after_;
    statement.bind(1, text(filter.gateway)).bind(2, text(filter.class_name)).bind(3, text(filter.rule));
    if (after != 0) statement.bind(4, after);
    const auto row = statement.step();
    const auto total = row && *row ? statement.integer(0) : 0;
    statement.reset();
    if (!row) return row.error();
    return static_cast<std::uint64_t>(total);
}

Result<std::vector<StoredGateway>> EventQuery::gateways() {
    std::vector<StoredGateway> found;
    for (;;) {
        const auto row = gateways_.step();
        if (!row || !*row) {
            gateways_.reset();
            if (!row) return row.error();
            return found;
        }
        found.push_back(
            {.id = std::string(gateways_.text(0)), .last_seen_ms = gateways_.integer(1), .ledger = std::string(gateways_.text(2))});
    }
}

Result<std::vector<StoredGap>> EventQuery::gaps() {
    std::vector<StoredGap> found;
    for (;;) {
        const auto row = gaps_.step();
        if (!row || !*row) {
            gaps_.reset();
            if (!row) return row.error();
            return found;
        }
        found.push_back({.gateway = std::string(gaps_.text(0)),
                         .epoch = gaps_.integer(1),
                         .class_name = std::string(gaps_.text(2)),
                         .first = gaps_.integer(3),
                         .last = gaps_.integer(4),
                         .reason = std::string(gaps_.text(5))});
    }
}

}  // namespace sluice::cloud
