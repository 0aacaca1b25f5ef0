// The sessions' database on a real disk: what was written comes back, what was changed does not.
#include "gateway/session_database.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "flow/hub/journal_batch.hpp"

namespace sluice::gateway {
namespace {

using hub::append_change;
using hub::ChangeKind;
using hub::RowKind;

class FixedClock final : public env::Clock {
public:
    [[nodiscard]] base::Monotonic now() const override { return monotonic; }
    [[nodiscard]] env::WallReading wall() const override { return {base::from_ms(wall_ms), synchronised}; }
    void pass(std::chrono::milliseconds by) {
        monotonic += by;
        wall_ms += by.count();
    }
    base::Monotonic monotonic{std::chrono::seconds(1000)};
    std::int64_t wall_ms = 1'800'000'000'000;
    bool synchronised = true;
};

class SessionDatabaseTest : public testing::Test {
protected:
    void SetUp() override {
        auto pattern = (std::filesystem::temp_directory_path() / "sluice-sessions-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    static identity::MasterKey master(base::Byte seed = 1) {
        identity::Secret secret;
        for (auto& byte : secret.writable()) byte = seed++;
        return identity::MasterKey(secret);
    }
    static identity::KeyRing key(base::Byte seed = 1) { return identity::KeyRing(master(seed)); }
    base::Result<std::unique_ptr<SessionDatabase>> open(SessionDatabase::Loaded& loaded, base::Byte seed = 1) {
        return SessionDatabase::open({files_, clock_, entropy_}, key(seed), directory_, loaded);
    }
    [[nodiscard]] std::string file() const { return directory_ + "/" + std::string(SessionDatabase::kFile); }

    /// A session with one subscription and one message that waits, and one retained message.
    static void append_session(base::Bytes& changes, hub::KeptId id, std::string_view client, hub::Age ends = 0) {
        base::Bytes body;
        append_row(body, hub::SessionRow{.client = client, .expiry_seconds = 3600, .ends = ends});
        append_change(changes, {.kind = ChangeKind::put, .row = RowKind::session, .id = id, .body = body});
        body.clear();
        append_row(body, hub::SubscriptionRow{.options = {1}, .filter = "plant/secret"});
        append_change(
            changes,
            {.kind = ChangeKind::put, .row = RowKind::subscription, .id = id, .key = base::as_bytes("/plant/secret"), .body = body});
    }
    static void append_message(base::Bytes& changes, std::string_view payload) {
        base::Bytes body;
        append_row(body, hub::MessageRow{.topic = "plant/secret", .payload = base::as_bytes(payload), .qos = 1});
        append_change(changes, {.kind = ChangeKind::message, .body = body});
    }
    static void append_delivery(base::Bytes& changes, hub::KeptId id, std::uint64_t number) {
        base::Bytes body;
        append_row(body, hub::DeliveryRow{.qos = 1});
        append_change(changes,
                      {.kind = ChangeKind::add, .row = RowKind::delivery, .with_message = true, .id = id, .number = number, .body = body});
    }
    static void append_retained(base::Bytes& changes, std::string_view topic) {
        base::Bytes body;
        append_row(body, hub::MessageRow{.topic = topic, .payload = base::as_bytes("kept"), .qos = 1});
        append_change(changes, {.kind = ChangeKind::put, .row = RowKind::retained, .key = base::as_bytes(topic), .body = body});
    }
    static base::Bytes example() {
        base::Bytes changes;
        append_session(changes, 1, "client-in-clear");
        append_session(changes, 2, "another");
        append_message(changes, "payload-in-clear");
        append_delivery(changes, 1, 1);
        append_delivery(changes, 2, 1);
        append_delivery(changes, 1, 2);
        append_retained(changes, "plant/retained");
        return changes;
    }
    void write(SessionDatabase& database, base::ByteView changes) {
        SessionChanges pending;
        pending.absorb(changes);
        ASSERT_TRUE(database.write(pending));
    }
    void fill() {
        SessionDatabase::Loaded loaded;
        auto database = open(loaded);
        ASSERT_TRUE(database);
        write(**database, example());
    }
    [[nodiscard]] std::string bytes() const {
        std::ifstream in(file(), std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void put_bytes(const std::string& all) const { std::ofstream(file(), std::ios::binary | std::ios::trunc) << all; }

    posix::PosixFileSystem files_;
    posix::PosixEntropy entropy_;
    FixedClock clock_;
    std::string directory_;
};

TEST_F(SessionDatabaseTest, what_was_written_comes_back) {
    fill();
    SessionDatabase::Loaded loaded;
    ASSERT_TRUE(open(loaded));
    ASSERT_EQ(loaded.saved.sessions().size(), 2U);
    const auto& first = loaded.saved.sessions()[0];
    EXPECT_EQ(first.session.client, "client-in-clear");
    ASSERT_EQ(first.deliveries.size(), 2U);
    EXPECT_EQ(first.deliveries[1].number, 2U);
    EXPECT_EQ(base::as_text(first.deliveries[1].row.message.payload), "payload-in-clear");
    EXPECT_EQ(first.subscriptions.size(), 1U);
    EXPECT_EQ(loaded.saved.retained().size(), 1U);
    EXPECT_EQ(loaded.saved.unreadable(), 0U);
    EXPECT_FALSE(loaded.moved_aside);
}

TEST_F(SessionDatabaseTest, rows_can_be_changed_and_removed_over_many_runs) {
    fill();
    for (std::uint64_t run = 0; run < 5; ++run) {
        SessionDatabase::Loaded loaded;
        auto database = open(loaded);
        ASSERT_TRUE(database);
        base::Bytes changes;
        append_change(changes, {.kind = ChangeKind::remove, .row = RowKind::delivery, .id = 1, .number = 1 + run});
        append_message(changes, "run " + std::to_string(run));
        append_delivery(changes, 1, 3 + run);
        if (run == 3) append_change(changes, {.kind = ChangeKind::end, .id = 2});
        write(**database, changes);
    }
    SessionDatabase::Loaded loaded;
    ASSERT_TRUE(open(loaded));
    ASSERT_EQ(loaded.saved.sessions().size(), 1U);
    const auto& left = loaded.saved.sessions()[0].deliveries;
    ASSERT_EQ(left.size(), 2U);
    EXPECT_EQ(left[0].number, 6U);
    EXPECT_EQ(base::as_text(left[1].row.message.payload), "run 4");
}

TEST_F(SessionDatabaseTest, nothing_is_readable_at_rest) {
    fill();
    for (const auto* secret : {"client-in-clear", "payload-in-clear", "plant", "secret", "retained", "kept"})
        EXPECT_EQ(bytes().find(secret), std::string::npos) << secret;
}

TEST_F(SessionDatabaseTest, another_key_is_refused) {
    fill();
    SessionDatabase::Loaded loaded;
    const auto database = open(loaded, 2);
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code, base::Errc::wrong_key);
}

TEST_F(SessionDatabaseTest, whatever_bit_flips_nothing_changed_is_ever_delivered) {
    fill();
    const std::string good = bytes();
    std::size_t noticed = 0;
    for (std::size_t at = 0; at < good.size(); at += 97) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 0x10);
        put_bytes(bad);
        std::filesystem::remove(file() + "-wal");
        SessionDatabase::Loaded loaded;
        const auto database = open(loaded);
        if (!database) {
            const auto code = database.error().code;
            EXPECT_TRUE(code == base::Errc::wrong_key || code == base::Errc::version) << at << ": " << base::describe(database.error());
            ++noticed;
            continue;
        }
        noticed += loaded.moved_aside || loaded.saved.unreadable() != 0 ? 1U : 0U;
        for (const auto& session : loaded.saved.sessions()) {
            EXPECT_TRUE(session.session.client == "client-in-clear" || session.session.client == "another") << at;
            for (const auto& delivery : session.deliveries)
                EXPECT_EQ(base::as_text(delivery.row.message.payload), "payload-in-clear") << at;
            EXPECT_EQ(session.subscriptions.size(), 1U) << "a session without its subscriptions would miss messages, at " << at;
        }
    }
    EXPECT_GT(noticed, 5U);
}

TEST_F(SessionDatabaseTest, a_row_put_in_the_place_of_another_is_not_taken) {
    fill();
    {
        auto raw = sqlite::Database::open(file(), sqlite::Database::Mode::read_write_create);
        ASSERT_TRUE(raw);
        ASSERT_TRUE(
            raw->execute("UPDATE rows SET value=(SELECT value FROM rows WHERE session=1 AND kind=3 AND key=x'0000000000000002') "
                         "WHERE session=1 AND kind=3 AND key=x'0000000000000001'"));
    }
    SessionDatabase::Loaded loaded;
    {
        auto database = open(loaded);
        ASSERT_TRUE(database);
        EXPECT_EQ(loaded.saved.unreadable(), 1U);
        EXPECT_EQ(loaded.saved.deliveries_lost(), 1U);
        EXPECT_EQ(loaded.saved.sessions()[0].deliveries.size(), 1U);
        ASSERT_TRUE((*database)->write({}));
    }
    SessionDatabase::Loaded again;
    ASSERT_TRUE(open(again));
    EXPECT_EQ(again.saved.unreadable(), 0U) << "what cannot be read goes with the next write";
}

TEST_F(SessionDatabaseTest, a_file_that_is_no_database_is_put_aside) {
    fill();
    put_bytes(std::string(8192, 'x'));
    SessionDatabase::Loaded loaded;
    ASSERT_TRUE(open(loaded));
    EXPECT_TRUE(loaded.moved_aside);
    EXPECT_TRUE(std::filesystem::exists(file() + ".damaged"));
    EXPECT_TRUE(loaded.saved.sessions().empty());
}

TEST_F(SessionDatabaseTest, age_counts_runs_and_the_time_between_as_far_as_the_clocks_can_be_believed) {
    using std::chrono::hours;
    const auto age_after = [this](auto&& between) {
        hub::Age before = 0;
        {
            SessionDatabase::Loaded loaded;
            auto database = open(loaded);
            EXPECT_TRUE(database);
            write(**database, example());
            clock_.pass(hours(1));
            EXPECT_TRUE((*database)->write_age());
            before = loaded.clock.age_of(clock_.now());
        }
        between();
        SessionDatabase::Loaded loaded;
        EXPECT_TRUE(open(loaded));
        EXPECT_EQ(loaded.stopped, before);
        return std::chrono::milliseconds(loaded.clock.age - before);
    };
    EXPECT_EQ(age_after([] {}), hours(0));
    EXPECT_EQ(age_after([this] { clock_.pass(hours(50)); }), hours(50));
    EXPECT_EQ(age_after([this] { clock_.wall_ms = 0; }), hours(0)) << "it stands in 1970";
    EXPECT_EQ(age_after([this] { clock_.wall_ms -= 1000; }), hours(0)) << "it jumped back";
    clock_.synchronised = false;
    EXPECT_EQ(age_after([this] { clock_.pass(hours(50'000)); }), SessionDatabase::kUnsureDowntimeMax) << "nobody set it";
    EXPECT_EQ(age_after([this] { clock_.pass(std::chrono::minutes(5)); }), std::chrono::minutes(5));
}

/// While it lives this process can write to no file.
class NoFileGrows {
public:
    NoFileGrows() : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
        rlimit none = before_;
        none.rlim_cur = 0;
        EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
    }
    ~NoFileGrows() {
        EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0);
        std::signal(SIGXFSZ, handler_);
    }
    NoFileGrows(const NoFileGrows&) = delete;
    NoFileGrows& operator=(const NoFileGrows&) = delete;

private:
    rlimit before_{};
    void (*handler_)(int);
};

// A disk that had died was exchanged for another under the same name: the database went on writing to the dead one until the next start.
TEST_F(SessionDatabaseTest, after_a_failure_it_goes_on_with_the_file_that_has_its_name_now) {
    SessionDatabase::Loaded loaded;
    auto database = open(loaded);
    ASSERT_TRUE(database);
    write(**database, example());
    const std::string exchanged = directory_ + ".exchanged";
    std::filesystem::copy(directory_, exchanged);
    base::Bytes more;
    append_session(more, 3, "third");
    SessionChanges pending;
    pending.absorb(more);
    {
        const NoFileGrows full;
        const auto failed = (*database)->write(pending);
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error().code, base::Errc::io);
        EXPECT_FALSE((*database)->write(pending)) << "nor can it be opened again";
    }
    std::filesystem::rename(directory_, directory_ + ".dead");
    std::filesystem::rename(exchanged, directory_);
    ASSERT_TRUE((*database)->write(pending));
    ASSERT_TRUE((*database)->write_age());
    database->reset();
    SessionDatabase::Loaded again;
    ASSERT_TRUE(open(again));
    EXPECT_EQ(again.saved.sessions().size(), 3U);
    EXPECT_FALSE(again.moved_aside);
    std::filesystem::remove_all(directory_ + ".dead");
}

TEST_F(SessionDatabaseTest, without_its_age_no_session_ends_too_early) {
    {
        SessionDatabase::Loaded loaded;
        auto database = open(loaded);
        ASSERT_TRUE(database);
        base::Bytes changes;
        append_session(changes, 1, "s", 10'000'000);
        write(**database, changes);
    }
    {
        auto raw = sqlite::Database::open(file(), sqlite::Database::Mode::read_write_create);
        ASSERT_TRUE(raw);
        ASSERT_TRUE(raw->execute("DELETE FROM rows WHERE kind=0"));
    }
    SessionDatabase::Loaded loaded;
    ASSERT_TRUE(open(loaded));
    EXPECT_EQ(loaded.stopped, 10'000'000U - 3'600'000U);
}

TEST(SessionChanges, a_row_that_came_and_went_leaves_nothing) {
    base::Bytes batch;
    base::Bytes body{1, 2, 3};
    append_change(batch, {.kind = ChangeKind::message, .body = body});
    append_change(batch, {.kind = ChangeKind::add, .row = RowKind::delivery, .with_message = true, .id = 1, .number = 1, .body = body});
    append_change(batch, {.kind = ChangeKind::add, .row = RowKind::inflight, .id = 1, .number = 1, .body = body});
    append_change(batch, {.kind = ChangeKind::put, .row = RowKind::inflight, .id = 1, .number = 1, .body = body});
    SessionChanges changes;
    changes.absorb(batch);
    EXPECT_EQ(changes.sessions().at(1).rows.size(), 2U);
    batch.clear();
    append_change(batch, {.kind = ChangeKind::remove, .row = RowKind::delivery, .id = 1, .number = 1});
    append_change(batch, {.kind = ChangeKind::remove, .row = RowKind::inflight, .id = 1, .number = 1});
    changes.absorb(batch);
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(changes.spared(), 2U);
}

TEST(SessionChanges, a_session_that_began_and_ended_leaves_nothing) {
    base::Bytes batch;
    base::Bytes body{1, 2, 3};
    append_change(batch, {.kind = ChangeKind::add, .row = RowKind::session, .id = 1, .body = body});
    append_change(batch, {.kind = ChangeKind::put, .row = RowKind::session, .id = 1, .body = body});
    append_change(batch, {.kind = ChangeKind::put, .row = RowKind::subscription, .id = 1, .key = body, .body = body});
    append_change(batch, {.kind = ChangeKind::end, .id = 1});
    SessionChanges changes;
    changes.absorb(batch);
    EXPECT_TRUE(changes.empty());
    EXPECT_EQ(changes.spared(), 2U);
}

TEST(SessionChanges, a_row_that_may_be_on_disk_is_removed_there) {
    base::Bytes batch;
    base::Bytes body{1, 2, 3};
    append_change(batch, {.kind = ChangeKind::put, .row = RowKind::session, .id = 1, .body = body});
    append_change(batch, {.kind = ChangeKind::remove, .row = RowKind::session, .id = 1});
    append_change(batch, {.kind = ChangeKind::add, .row = RowKind::delivery, .id = 2, .number = 1, .body = body});
    append_change(batch, {.kind = ChangeKind::end, .id = 2});
    SessionChanges changes;
    changes.absorb(batch);
    EXPECT_TRUE(changes.sessions().at(1).rows.begin()->second.removed);
    EXPECT_TRUE(changes.sessions().at(2).ended);
    EXPECT_TRUE(changes.sessions().at(2).rows.empty());
}

}  // namespace
}  // namespace sluice::gateway
