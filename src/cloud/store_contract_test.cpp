// One suite for every event store: what the applier relies on, through the applier.
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cloud/applier.hpp"
#include "cloud/event_query.hpp"
#include "cloud/memory_store.hpp"
#include "cloud/sqlite_store.hpp"

namespace sluice::cloud {
namespace {

struct Row {
    std::uint64_t sequence;
    std::string json;
    friend bool operator==(const Row&, const Row&) = default;
};
using Gone = std::vector<std::tuple<std::uint64_t, std::uint64_t, std::string>>;

class MemoryRig {
public:
    EventStore& store() { return store_; }
    std::vector<Row> events() {
        std::vector<Row> rows;
        for (const auto& row : store_.committed().events) rows.push_back({row.sequence.value(), row.json});
        return rows;
    }
    Gone gaps() {
        Gone rows;
        for (const auto& row : store_.committed().gaps) rows.emplace_back(row.first.value(), row.last.value(), row.reason);
        return rows;
    }
    void reopen() { store_.crash(); }

private:
    MemoryStore store_;
};

class Collector final : public EventVisitor {
public:
    bool event(const StoredEvent& event) override {
        rows.push_back({static_cast<std::uint64_t>(event.sequence), std::string(event.json)});
        return true;
    }
    std::vector<Row> rows;
};

class SqliteRig {
public:
    SqliteRig() {
        auto pattern = (std::filesystem::temp_directory_path() / "sluice-store-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        reopen();
    }
    ~SqliteRig() {
        store_.reset();
        std::filesystem::remove_all(folder_);
    }
    SqliteRig(const SqliteRig&) = delete;
    SqliteRig& operator=(const SqliteRig&) = delete;
    EventStore& store() { return *store_; }
    std::vector<Row> events() {
        auto query = EventQuery::open(path());
        Collector collector;
        EXPECT_TRUE((*query)->events({}, 0, 1'000'000, collector));
        return collector.rows;
    }
    Gone gaps() {
        auto query = EventQuery::open(path());
        Gone rows;
        const auto found = (*query)->gaps();
        for (const auto& row : *found)
            rows.emplace_back(static_cast<std::uint64_t>(row.first), static_cast<std::uint64_t>(row.last), row.reason);
        return rows;
    }
    void reopen() {
        store_.reset();
        auto opened = SqliteStore::open(path());
        ASSERT_TRUE(opened);
        store_ = std::move(*opened);
    }

private:
    [[nodiscard]] std::string path() const { return folder_ + "/events.db"; }
    std::string folder_;
    std::unique_ptr<SqliteStore> store_;
};

struct Item {
    std::string json;         // empty: a gap
    std::uint64_t count = 1;  // of a gap
};

template <class Rig>
class StoreContract : public ::testing::Test {
protected:
    /// A batch as it comes off the wire.
    base::Status apply(std::uint64_t first, const std::vector<Item>& items, std::uint64_t epoch = 5, const char* class_name = "alert") {
        wire::Encoder encoder;
        encoder.begin(class_name, data::Sequence(first));
        for (const auto& item : items) {
            const bool added =
                item.json.empty() ? encoder.add_gap(item.count, "ttl") : encoder.add_event("rule", 1000, base::as_bytes(item.json));
            EXPECT_TRUE(added);
        }
        base::Bytes message;
        encoder.finish(data::Epoch(epoch), message);
        base::Bytes body;
        wire::Decoder decoder;
        const auto batch = decoder.decode(message, body);
        EXPECT_TRUE(batch);
        return applier_.apply(rig_.store(), "plant-7", *batch, counts_);
    }
    void commit(std::uint64_t first, const std::vector<Item>& items, std::uint64_t epoch = 5) {
        ASSERT_TRUE(rig_.store().begin());
        ASSERT_TRUE(apply(first, items, epoch));
        ASSERT_TRUE(rig_.store().commit());
    }

    Rig rig_;
    Applier applier_;
    ApplyCounts counts_;
};

using Rigs = ::testing::Types<MemoryRig, SqliteRig>;
TYPED_TEST_SUITE(StoreContract, Rigs);

TYPED_TEST(StoreContract, events_are_stored_once_however_often_they_come) {
    this->commit(1, {{R"({"n":1})"}, {R"({"n":2})"}});
    this->commit(1, {{R"({"n":1})"}, {R"({"n":2})"}, {R"({"n":3})"}});
    this->commit(2, {{R"({"n":2})"}});
    EXPECT_EQ(this->rig_.events(), (std::vector<Row>{{1, R"({"n":1})"}, {2, R"({"n":2})"}, {3, R"({"n":3})"}}));
    EXPECT_EQ(this->counts_.stored, 3U);
    EXPECT_EQ(this->counts_.duplicates, 3U);
    EXPECT_EQ(this->counts_.unexplained, 0U);
}

TYPED_TEST(StoreContract, what_was_not_committed_is_forgotten_with_its_position) {
    this->commit(1, {{"{}"}});
    ASSERT_TRUE(this->rig_.store().begin());
    ASSERT_TRUE(this->apply(2, {{"{}"}, {"{}"}}));
    this->rig_.store().rollback();
    this->commit(2, {{"{}"}});
    EXPECT_EQ(this->rig_.events().size(), 2U);
    this->commit(3, {{"{}"}});
    EXPECT_EQ(this->rig_.events().size(), 3U);
    EXPECT_EQ(this->counts_.unexplained, 0U);
}

TYPED_TEST(StoreContract, a_new_stream_that_was_rolled_back_is_new_again) {
    ASSERT_TRUE(this->rig_.store().begin());
    ASSERT_TRUE(this->apply(1, {{"{}"}}));
    this->rig_.store().rollback();
    this->commit(1, {{"{}"}});
    EXPECT_EQ(this->rig_.events().size(), 1U);
}

TYPED_TEST(StoreContract, a_process_that_dies_in_a_transaction_leaves_nothing_of_it) {
    this->commit(1, {{"{}"}});
    ASSERT_TRUE(this->rig_.store().begin());
    ASSERT_TRUE(this->apply(2, {{"{}"}}));
    this->rig_.reopen();
    EXPECT_EQ(this->rig_.events().size(), 1U);
    this->commit(1, {{"{}"}, {R"({"n":2})"}});
    EXPECT_EQ(this->rig_.events(), (std::vector<Row>{{1, "{}"}, {2, R"({"n":2})"}}));
}

TYPED_TEST(StoreContract, gaps_move_the_position_and_are_kept_with_their_reason) {
    this->commit(1, {{"{}"}, {"", 8}, {"{}"}});
    EXPECT_EQ(this->rig_.gaps(), (Gone{{2, 9, "ttl"}}));
    EXPECT_EQ(this->counts_.gone, 8U);
    this->commit(11, {{"{}"}});
    EXPECT_EQ(this->counts_.unexplained, 0U);
    EXPECT_EQ(this->rig_.events().size(), 3U);
}

TYPED_TEST(StoreContract, a_gap_over_what_has_arrived_tells_only_the_rest) {
    this->commit(1, {{"{}"}, {"{}"}, {"{}"}});
    this->commit(2, {{"", 5}, {"{}"}});  // 2 and 3 had arrived
    EXPECT_EQ(this->rig_.gaps(), (Gone{{4, 6, "ttl"}}));
    EXPECT_EQ(this->counts_.gone, 3U);
    this->commit(2, {{"", 5}});
    EXPECT_EQ(this->rig_.gaps().size(), 1U);
}

TYPED_TEST(StoreContract, a_hole_without_a_notice_is_recorded_as_unexplained) {
    this->commit(1, {{"{}"}});
    this->commit(5, {{"{}"}});
    EXPECT_EQ(this->counts_.unexplained, 3U);
    EXPECT_EQ(this->rig_.gaps(), (Gone{{2, 4, "unexplained"}}));
}

TYPED_TEST(StoreContract, the_first_batch_of_an_epoch_may_begin_anywhere) {
    this->commit(100, {{"{}"}});
    this->commit(1, {{"{}"}}, 6);
    EXPECT_EQ(this->counts_.unexplained, 0U);
    EXPECT_EQ(this->counts_.duplicates, 0U);
    EXPECT_EQ(this->rig_.events().size(), 2U);
}

TYPED_TEST(StoreContract, data_that_is_not_a_json_object_is_wrapped) {
    this->commit(1, {{"{\"a\":1"}, {"[1]"}, {"\"\x01\\\xc3\xa9\xff"}, {"{} "}});
    EXPECT_EQ(this->counts_.invalid_json, 3U);
    EXPECT_EQ(this->rig_.events(), (std::vector<Row>{{1, R"({"_invalid":"{\"a\":1"})"},
                                                     {2, R"({"_invalid":"[1]"})"},
                                                     {3, "{\"_invalid\":\"\\\"\\u0001\\\\\xc3\xa9\xef\xbf\xbd\"}"},
                                                     {4, "{} "}}));
}

TYPED_TEST(StoreContract, random_resends_leave_every_event_once_and_in_order) {
    std::mt19937_64 random(3);
    std::vector<Row> expected;
    std::uint64_t committed = 0;
    for (int round = 0; round < 200; ++round) {
        const auto first = committed == 0 ? 1 : 1 + random() % (committed + 1);
        const auto last = first + random() % 10;
        std::vector<Item> items;
        for (auto at = first; at <= last; ++at) items.push_back({"{\"n\":" + std::to_string(at) + "}"});
        ASSERT_TRUE(this->rig_.store().begin());
        ASSERT_TRUE(this->apply(first, items));
        if (random() % 3 == 0) {
            this->rig_.store().rollback();
            continue;
        }
        ASSERT_TRUE(this->rig_.store().commit());
        for (; committed < last; ++committed) expected.push_back({committed + 1, "{\"n\":" + std::to_string(committed + 1) + "}"});
    }
    EXPECT_EQ(this->rig_.events(), expected);
    EXPECT_EQ(this->counts_.unexplained, 0U);
}

TEST(Applier, every_failing_call_of_the_store_is_reported_and_a_repetition_stores_everything_once) {
    wire::Encoder encoder;
    encoder.begin("alert", data::Sequence(3));
    ASSERT_TRUE(encoder.add_event("a", 0, base::as_bytes("{}")));
    ASSERT_TRUE(encoder.add_gap(2, "ttl"));
    ASSERT_TRUE(encoder.add_event("a", 0, base::as_bytes("{}")));
    base::Bytes message;
    encoder.finish(data::Epoch(1), message);
    base::Bytes body;
    wire::Decoder decoder;
    const auto batch = decoder.decode(message, body);
    ASSERT_TRUE(batch);
    for (std::uint64_t call = 1;; ++call) {
        MemoryStore store;
        Applier applier;
        store.fail_at(call, base::Errc::disk_full, call % 2 == 0);
        bool failed = false;
        for (int attempt = 0; attempt < 2; ++attempt) {
            ApplyCounts counts;
            const auto once = [&]() -> base::Status {
                if (auto begun = store.begin(); !begun) return begun;
                if (auto applied = applier.apply(store, "g", *batch, counts); !applied) return applied;
                return store.commit();
            };
            const auto done = once();
            if (!done) {
                EXPECT_EQ(done.error().code, base::Errc::disk_full);
                failed = true;
                store.rollback();
            } else {
                break;
            }
        }
        EXPECT_EQ(store.committed().events.size(), 2U) << "call " << call;
        EXPECT_EQ(store.committed().gaps.size(), 1U) << "call " << call;
        if (!failed) break;
    }
}

}  // namespace
}  // namespace sluice::cloud
