// Sessions while the master key is rotated: all rows stay what they are, whenever the process dies, and in the end the new key is enough.
#include <filesystem>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "env/sqlite/database.hpp"
#include "flow/hub/journal_batch.hpp"
#include "gateway/session_database.hpp"

namespace sluice::gateway {
namespace {

using hub::append_change;
using hub::ChangeKind;
using hub::RowKind;

class StillClock final : public env::Clock {
public:
    [[nodiscard]] base::Monotonic now() const override { return base::Monotonic(std::chrono::seconds(1000)); }
    [[nodiscard]] env::WallReading wall() const override { return {base::from_ms(1'800'000'000'000), true}; }
};

identity::MasterKey master(identity::KeyNumber number) {
    identity::Secret secret;
    secret.writable()[0] = static_cast<base::Byte>(number);
    secret.writable()[1] = 0x5a;
    return identity::MasterKey(secret);
}

/// The keys first … last; the first stands for number 1 where it is another.
identity::KeyRing ring(identity::KeyNumber first, identity::KeyNumber last) {
    identity::KeyRing keys(master(1));
    for (identity::KeyNumber number = 2; number <= last; ++number) keys.add(number, master(number));
    for (identity::KeyNumber number = 1; number < first; ++number) keys.remove(number);
    return keys;
}

class SessionKeysTest : public testing::Test {
protected:
    void SetUp() override {
        auto pattern = (std::filesystem::temp_directory_path() / "sluice-session-keys-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        top_ = pattern;
        directory_ = top_ + "/0";
    }
    void TearDown() override {
        database_.reset();
        std::filesystem::remove_all(top_);
    }
    base::Status open(const identity::KeyRing& keys) {
        database_.reset();
        loaded_ = {};
        auto opened = SessionDatabase::open({files_, clock_, entropy_}, keys, directory_, loaded_);
        if (!opened) return opened.error();
        database_ = std::move(*opened);
        return {};
    }
    /// As after kill -9: the files as they lie there at this moment, under another name, and the old process can do no more to them.
    void kill() {
        const std::string copy = top_ + "/" + std::to_string(++lives_);
        std::filesystem::copy(directory_, copy);
        database_.reset();
        std::filesystem::remove_all(directory_);
        directory_ = copy;
    }
    void write(base::ByteView changes) {
        SessionChanges pending;
        pending.absorb(changes);
        const auto done = database_->write(pending);
        ASSERT_TRUE(done) << base::describe(done.error());
    }
    void reseal_all() {
        for (int step = 0; step < 10'000; ++step) {
            const auto more = database_->reseal();
            ASSERT_TRUE(more) << base::describe(more.error());
            if (!*more) return;
        }
        FAIL() << "it does not come to an end";
    }

    static base::Bytes session(hub::KeptId id) {
        base::Bytes body;
        append_row(body, hub::SessionRow{.client = "client-" + std::to_string(id), .expiry_seconds = 3600});
        base::Bytes out;
        append_change(out, {.kind = ChangeKind::put, .row = RowKind::session, .id = id, .body = body});
        return out;
    }
    static base::Bytes subscription(hub::KeptId id, const std::string& filter, bool put, std::uint32_t identifier = 0) {
        base::Bytes body;
        if (put) append_row(body, hub::SubscriptionRow{.options = {1}, .identifier = identifier, .filter = filter});
        const std::string key = "/" + filter;
        base::Bytes out;
        append_change(out, {.kind = put ? ChangeKind::put : ChangeKind::remove,
                            .row = RowKind::subscription,
                            .id = id,
                            .key = base::as_bytes(key),
                            .body = body});
        return out;
    }
    static base::Bytes retained(const std::string& topic, const std::string& payload, bool put) {
        base::Bytes body;
        if (put) append_row(body, hub::MessageRow{.topic = topic, .payload = base::as_bytes(payload), .qos = 1});
        base::Bytes out;
        append_change(
            out,
            {.kind = put ? ChangeKind::put : ChangeKind::remove, .row = RowKind::retained, .key = base::as_bytes(topic), .body = body});
        return out;
    }
    static base::Bytes delivery(hub::KeptId id, std::uint64_t number, const std::string& payload) {
        base::Bytes out;
        base::Bytes body;
        append_row(body, hub::MessageRow{.topic = "t", .payload = base::as_bytes(payload), .qos = 1});
        append_change(out, {.kind = ChangeKind::message, .body = body});
        body.clear();
        append_row(body, hub::DeliveryRow{.qos = 1});
        append_change(out,
                      {.kind = ChangeKind::add, .row = RowKind::delivery, .with_message = true, .id = id, .number = number, .body = body});
        return out;
    }

    posix::PosixFileSystem files_;
    posix::PosixEntropy entropy_;
    StillClock clock_;
    std::string top_;
    std::string directory_;
    unsigned lives_ = 0;
    SessionDatabase::Loaded loaded_;
    std::unique_ptr<SessionDatabase> database_;
};

TEST_F(SessionKeysTest, rows_are_sealed_again_in_steps_and_then_the_old_key_can_go) {
    ASSERT_TRUE(open(ring(1, 1)));
    write(session(1));
    write(subscription(1, "a/+", true));
    base::Bytes many;
    for (int i = 0; i < 1000; ++i) base::append(many, retained("r/" + std::to_string(i), std::string(100, 'x'), true));
    write(many);
    EXPECT_TRUE(database_->held().empty()) << "there is but one key";
    database_->use(ring(1, 2));
    auto held = database_->held();
    ASSERT_EQ(held.size(), 1U);
    EXPECT_EQ(held[0].key, 1U);
    EXPECT_GE(held[0].items, 1000U);
    unsigned steps = 1;
    for (;; ++steps) {
        const auto more = database_->reseal();
        ASSERT_TRUE(more);
        if (!*more) break;
        EXPECT_FALSE(database_->held().empty());
    }
    EXPECT_GE(steps, 4U) << "no step holds up a commit for long";
    EXPECT_TRUE(database_->held().empty());
    database_.reset();
    const auto scanned = SessionDatabase::scan_keys(directory_);
    ASSERT_TRUE(scanned);
    ASSERT_EQ(scanned->size(), 1U);
    EXPECT_EQ((*scanned)[0].key, 2U);
    ASSERT_TRUE(open(ring(2, 2)));
    EXPECT_EQ(loaded_.saved.retained().size(), 1000U);
    ASSERT_EQ(loaded_.saved.sessions().size(), 1U);
    EXPECT_EQ(loaded_.saved.sessions()[0].subscriptions.size(), 1U);
    EXPECT_EQ(loaded_.saved.unreadable(), 0U);
}

TEST_F(SessionKeysTest, a_database_without_rows_lets_the_old_key_go_too) {
    ASSERT_TRUE(open(ring(1, 1)));
    database_->use(ring(1, 2));
    ASSERT_EQ(database_->held().size(), 1U) << "the file names key 1";
    reseal_all();
    ASSERT_TRUE(open(ring(2, 2)));
}

TEST_F(SessionKeysTest, the_key_that_the_file_was_used_with_can_be_told_from_another_of_its_number) {
    EXPECT_EQ(SessionDatabase::scan_named_key(directory_).error().code, base::Errc::not_found);
    ASSERT_TRUE(open(ring(3, 3)));
    database_.reset();
    const auto named = SessionDatabase::scan_named_key(directory_);
    ASSERT_TRUE(named);
    EXPECT_EQ(named->key, 3U);
    EXPECT_TRUE(named->is(master(3)));
    EXPECT_FALSE(named->is(master(1)));
}

TEST_F(SessionKeysTest, the_start_after_a_rotation_goes_on_with_it) {
    ASSERT_TRUE(open(ring(1, 1)));
    write(retained("a", "1", true));
    ASSERT_TRUE(open(ring(1, 3)));
    EXPECT_EQ(loaded_.saved.retained().size(), 1U);
    ASSERT_FALSE(database_->held().empty());
    reseal_all();
    ASSERT_TRUE(open(ring(3, 3)));
    EXPECT_EQ(loaded_.saved.retained().size(), 1U);
    EXPECT_TRUE(database_->held().empty());
}

TEST_F(SessionKeysTest, a_row_under_an_old_name_can_be_replaced_and_removed) {
    ASSERT_TRUE(open(ring(1, 1)));
    write(session(1));
    for (const char* filter : {"keep", "change", "drop"}) write(subscription(1, filter, true, 1));
    for (const char* topic : {"keep", "change", "drop"}) write(retained(topic, "old", true));
    database_->use(ring(1, 2));
    // Before any row was sealed again
    write(subscription(1, "change", true, 2));
    write(subscription(1, "drop", false));
    write(retained("change", "new", true));
    write(retained("drop", "", false));
    reseal_all();
    ASSERT_TRUE(open(ring(2, 2)));
    ASSERT_EQ(loaded_.saved.sessions().size(), 1U);
    std::map<std::string, std::uint32_t> subscriptions;
    for (const auto& each : loaded_.saved.sessions()[0].subscriptions) subscriptions[std::string(each.filter)] = each.identifier;
    EXPECT_EQ(subscriptions, (std::map<std::string, std::uint32_t>{{"keep", 1}, {"change", 2}}));
    EXPECT_EQ(loaded_.saved.sessions()[0].subscriptions.size(), 2U);
    EXPECT_EQ(loaded_.saved.retained().size(), 2U);
}

TEST_F(SessionKeysTest, the_key_it_was_used_with_last_is_needed_and_an_older_one_costs_its_rows) {
    ASSERT_TRUE(open(ring(1, 1)));
    write(retained("old", "1", true));
    database_->use(ring(1, 2));
    write(retained("new", "2", true));
    ASSERT_EQ(open(ring(1, 1)).error().code, base::Errc::wrong_key) << "the keys of before the rotation";
    identity::KeyRing other = ring(1, 1);
    other.add(2, master(7));
    ASSERT_EQ(open(other).error().code, base::Errc::wrong_key) << "another key under its number";
    ASSERT_TRUE(open(ring(2, 2)));
    EXPECT_EQ(loaded_.saved.retained().size(), 1U);
    ASSERT_EQ(loaded_.locked.size(), 1U);
    EXPECT_EQ(loaded_.locked[0].key, 1U);
    EXPECT_GE(loaded_.locked[0].items, 1U);
    ASSERT_TRUE(database_->write({}));
    EXPECT_TRUE(database_->held().empty()) << "nothing waits for a key that is not there";
}

TEST_F(SessionKeysTest, files_of_version_1_are_read_and_sealed_again) {
    ASSERT_TRUE(open(ring(1, 1)));
    write(session(1));
    write(retained("a", "1", true));
    database_.reset();
    {
        auto raw = sqlite::Database::open(directory_ + "/sessions.db", sqlite::Database::Mode::read_write_create);
        ASSERT_TRUE(raw);
        ASSERT_TRUE(raw->execute("ALTER TABLE epochs DROP COLUMN key; DELETE FROM meta WHERE name='key'; PRAGMA user_version=1"));
    }
    const auto scanned = SessionDatabase::scan_keys(directory_);
    ASSERT_TRUE(scanned);
    ASSERT_EQ(scanned->size(), 1U);
    EXPECT_EQ((*scanned)[0].key, 1U);
    ASSERT_EQ(open(ring(2, 2)).error().code, base::Errc::wrong_key);
    ASSERT_TRUE(open(ring(1, 2)));
    EXPECT_EQ(loaded_.saved.retained().size(), 1U);
    reseal_all();
    ASSERT_TRUE(open(ring(2, 2)));
    EXPECT_EQ(loaded_.saved.sessions().size(), 1U);
}

/// Random lives: rows come and go, keys are made and retired, the process dies at any step between two transactions.
TEST_F(SessionKeysTest, whatever_happens_meanwhile_all_rows_stay_what_they_are) {
    for (std::uint32_t seed = 1; seed <= 6; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937 random(seed);
        const auto below = [&random](std::uint32_t end) { return static_cast<std::uint32_t>(random() % end); };
        directory_ = top_ + "/seed-" + std::to_string(seed);
        identity::KeyNumber first = 1;
        identity::KeyNumber last = 1;
        std::map<std::string, std::string> kept;       // retained
        std::map<std::string, std::uint32_t> wanted;   // subscriptions
        std::map<std::uint64_t, std::string> waiting;  // deliveries
        std::uint64_t next = 1;
        const auto check = [&] {
            ASSERT_EQ(loaded_.saved.unreadable(), 0U);
            ASSERT_EQ(loaded_.saved.sessions().size(), 1U);
            const auto& found = loaded_.saved.sessions()[0];
            std::map<std::string, std::uint32_t> subscriptions;
            for (const auto& each : found.subscriptions) ASSERT_TRUE(subscriptions.emplace(each.filter, each.identifier).second);
            ASSERT_EQ(subscriptions, wanted);
            std::map<std::uint64_t, std::string> deliveries;
            for (const auto& each : found.deliveries) deliveries[each.number] = std::string(base::as_text(each.row.message.payload));
            ASSERT_EQ(deliveries, waiting);
            std::map<std::string, std::string> retained_found;
            for (const auto& each : loaded_.saved.retained())
                ASSERT_TRUE(retained_found.emplace(each.topic, std::string(base::as_text(each.payload))).second);
            ASSERT_EQ(retained_found, kept);
        };
        ASSERT_TRUE(open(ring(first, last)));
        write(session(1));
        for (int step = 0; step < 250; ++step) {
            const std::uint32_t choice = below(100);
            const std::string name = "n" + std::to_string(below(40));
            if (choice < 25) {
                kept[name] = std::string(below(3000), static_cast<char>('a' + below(26)));
                write(retained(name, kept[name], true));
            } else if (choice < 33) {
                kept.erase(name);
                write(retained(name, "", false));
            } else if (choice < 48) {
                wanted[name] = below(100) + 1;
                write(subscription(1, name, true, wanted[name]));
            } else if (choice < 55) {
                wanted.erase(name);
                write(subscription(1, name, false));
            } else if (choice < 70) {
                waiting[next] = name;
                write(delivery(1, next++, name));
            } else if (choice < 75 && !waiting.empty()) {
                base::Bytes change;
                append_change(change, {.kind = ChangeKind::remove, .row = RowKind::delivery, .id = 1, .number = waiting.begin()->first});
                waiting.erase(waiting.begin());
                write(change);
            } else if (choice < 80) {
                ++last;
                database_->use(ring(first, last));
            } else if (choice < 93) {
                ASSERT_TRUE(database_->reseal());
            } else {
                if (choice < 97) {
                    kill();
                } else {
                    database_.reset();
                }
                ASSERT_TRUE(open(ring(first, last)));
                check();
                if (HasFatalFailure()) return;
            }
            // Keys go as soon as they may.
            std::set<identity::KeyNumber> needed{last};
            for (const HeldKey& each : database_->held()) needed.insert(each.key);
            first = *needed.begin();
        }
        reseal_all();
        ASSERT_TRUE(open(ring(last, last)));
        check();
        database_.reset();
        if (HasFatalFailure()) return;
    }
}

}  // namespace
}  // namespace sluice::gateway
