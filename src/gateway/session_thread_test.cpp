// The session thread's turns, called by hand: what is committed when, and who is told.
#include "gateway/session_thread.hpp"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "flow/hub/journal_batch.hpp"

namespace sluice::gateway {
namespace {

using namespace std::chrono_literals;
using hub::append_change;
using hub::ChangeKind;
using hub::RowKind;

class StillClock final : public env::Clock {
public:
    [[nodiscard]] base::Monotonic now() const override { return at; }
    [[nodiscard]] env::WallReading wall() const override { return {base::from_ms(1'800'000'000'000), true}; }
    base::Monotonic at{1000s};
};

class SessionThreadTest : public testing::Test {
protected:
    void SetUp() override {
        auto pattern = (std::filesystem::temp_directory_path() / "sluice-thread-XXXXXX").string();
        EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        SessionDatabase::Loaded loaded;
        auto database = open(loaded);
        EXPECT_TRUE(database);
        thread_ = std::make_unique<SessionThread>(clock_, std::move(*database), 100ms);
        std::vector<SessionThread::ShardLink> links;
        for (std::size_t i = 0; i < 2; ++i) {
            boxes_.push_back(std::make_unique<posix::Mailbox<SessionMail>>(8, thread_->loop()));
            links.push_back({boxes_[i].get(), &gauges_[i], &shard_loop_});
        }
        thread_->wire(std::move(links));
    }
    void TearDown() override {
        thread_.reset();
        std::filesystem::remove_all(directory_);
    }
    base::Result<std::unique_ptr<SessionDatabase>> open(SessionDatabase::Loaded& loaded) {
        return SessionDatabase::open({files_, clock_, entropy_}, identity::KeyRing(identity::MasterKey(identity::Secret())), directory_,
                                     loaded);
    }
    static base::Bytes session(hub::KeptId id) {
        base::Bytes body;
        append_row(body, hub::SessionRow{.client = "c", .expiry_seconds = 60});
        base::Bytes changes;
        append_change(changes, {.kind = ChangeKind::put, .row = RowKind::session, .id = id, .body = body});
        return changes;
    }
    static base::Bytes inflight(ChangeKind kind, hub::KeptId id) {
        base::Bytes body;
        append_row(body, hub::InflightRow{.packet_id = 7});
        base::Bytes changes;
        append_change(changes, {.kind = kind, .row = RowKind::inflight, .id = id, .number = 1, .body = body});
        return changes;
    }
    void send(std::size_t shard, SessionMail&& mail) { ASSERT_TRUE(boxes_[shard]->push(std::move(mail))); }
    void turn() { thread_->on_turn(clock_.at); }

    StillClock clock_;
    posix::PosixFileSystem files_;
    posix::PosixEntropy entropy_;
    posix::EventLoop shard_loop_{clock_, 0us};
    std::string directory_;
    std::array<ShardGauges, 2> gauges_;
    std::unique_ptr<SessionThread> thread_;
    std::vector<std::unique_ptr<posix::Mailbox<SessionMail>>> boxes_;
};

TEST_F(SessionThreadTest, what_is_awaited_is_committed_at_once_and_all_shards_are_told) {
    send(0, {3, false, session(1)});
    send(1, {9, true, session(2)});
    turn();
    EXPECT_EQ(gauges_[0].session_turn, 3U);
    EXPECT_EQ(gauges_[1].session_turn, 9U);
    EXPECT_EQ(thread_->gauges().commits, 1U) << "one commit for both";
}

TEST_F(SessionThreadTest, what_nobody_awaits_waits_for_company) {
    send(0, {3, false, session(1)});
    turn();
    EXPECT_EQ(gauges_[0].session_turn, 0U);
    ASSERT_TRUE(thread_->next_deadline());
    EXPECT_EQ(*thread_->next_deadline(), clock_.at + 100ms);
    clock_.at += 100ms;
    turn();
    EXPECT_EQ(gauges_[0].session_turn, 3U);
}

TEST_F(SessionThreadTest, what_came_and_went_is_never_written) {
    send(0, {1, false, inflight(ChangeKind::add, 1)});
    turn();
    send(0, {2, true, inflight(ChangeKind::remove, 1)});
    turn();
    EXPECT_EQ(gauges_[0].session_turn, 2U);
    EXPECT_EQ(thread_->gauges().commits, 0U);
    EXPECT_EQ(thread_->gauges().rows_spared, 1U);
}

TEST_F(SessionThreadTest, a_stop_commits_what_is_left) {
    send(0, {1, false, session(5)});
    thread_->stop();
    turn();
    SessionDatabase::Loaded loaded;
    ASSERT_TRUE(open(loaded)) << "closed, and so not locked any more";
    EXPECT_EQ(loaded.saved.sessions().size(), 1U);
    EXPECT_EQ(loaded.saved.greatest_id(), 5U);
}

TEST_F(SessionThreadTest, what_the_start_changed_is_durable_before_the_first_connection) {
    ASSERT_TRUE(thread_->start_with(session(1), {7}));
    EXPECT_EQ(thread_->gauges().commits, 1U);
}

}  // namespace
}  // namespace sluice::gateway
