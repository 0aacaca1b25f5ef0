#include "env/posix/tcp.hpp"

#include <deque>
#include <map>
#include <thread>

#include <gtest/gtest.h>

#include "env/posix/clock.hpp"
#include "env/posix/mailbox.hpp"

namespace sluice::posix {
namespace {

/// Both ends of connections on one loop: a listener whose connections echo, and clients.
class Tcp : public testing::Test {
protected:
    class Echo : public TcpHandler, public TcpListener::Sink {
    public:
        explicit Echo(EventLoop& loop) : connections(loop, *this) {}
        void on_accept(DetachedConnection&& connection) override { connections.adopt(std::move(connection)); }
        void on_open(TcpId id, const PeerAddress& peer) override {
            opened.push_back(id);
            EXPECT_TRUE(peer.loopback());
        }
        std::size_t on_bytes(TcpId id, base::ByteView bytes) override {
            ++reads;
            if (hold_until > bytes.size()) return 0;
            if (detach_next) {
                detach_next = false;
                detached = connections.detach(id, 1);
                return 0;
            }
            connections.send(id, bytes);
            if (close_after_echo) connections.close(id);
            return bytes.size();
        }
        void on_closed(TcpId id, const base::Error&) override { closed.push_back(id); }
        void on_released() override { ++released; }

        std::size_t hold_until = 0;
        bool close_after_echo = false;
        bool detach_next = false;
        int reads = 0;
        int released = 0;
        std::deque<TcpId> opened;
        std::deque<TcpId> closed;
        DetachedConnection detached;
        TcpConnections connections;
    };
    class Client : public TcpHandler {
    public:
        explicit Client(EventLoop& loop) : connections(loop, *this) {}
        void on_open(TcpId id, const PeerAddress&) override { open = id; }
        std::size_t on_bytes(TcpId, base::ByteView bytes) override {
            received.append(base::as_text(bytes));
            return bytes.size();
        }
        void on_closed(TcpId, const base::Error& error) override {
            open = 0;
            ++closes;
            why = error.code;
        }
        TcpId open = 0;
        int closes = 0;
        base::Errc why = base::Errc::internal;
        std::string received;
        TcpConnections connections;
    };

    Tcp() {
        loop.add_task(server.connections);
        loop.add_task(client.connections);
        auto opened = TcpListener::open(loop, server, "127.0.0.1", 0);
        EXPECT_TRUE(opened.has_value());
        listener = std::move(*opened);
    }
    /// Turns until the condition holds; the bound is far above what any case needs.
    template <class Condition>
    bool turn_until(Condition&& condition) {
        for (int i = 0; i < 5000; ++i) {
            if (condition()) return true;
            loop.run_once(clock.now() + std::chrono::milliseconds(2));
        }
        return false;
    }
    void connect() {
        ASSERT_TRUE(client.connections.connect("127.0.0.1", listener->port()).has_value());
        ASSERT_TRUE(turn_until([&] { return client.open != 0 && !server.opened.empty(); }));
    }

    PosixClock clock;
    EventLoop loop{clock, std::chrono::microseconds(0)};
    Echo server{loop};
    Client client{loop};
    std::unique_ptr<TcpListener> listener;
};

TEST_F(Tcp, bytes_come_back_as_they_were_sent) {
    connect();
    client.connections.send(client.open, base::as_bytes("hello"));
    EXPECT_TRUE(turn_until([&] { return client.received == "hello"; }));
}

TEST_F(Tcp, what_a_handler_does_not_consume_is_presented_again_with_more_behind_it) {
    connect();
    server.hold_until = 10;
    client.connections.send(client.open, base::as_bytes("01234"));
    ASSERT_TRUE(turn_until([&] { return server.reads == 1; }));
    client.connections.send(client.open, base::as_bytes("56789"));
    EXPECT_TRUE(turn_until([&] { return client.received == "0123456789"; }));
}

TEST_F(Tcp, what_a_handler_waited_with_is_presented_again_on_request) {
    connect();
    server.hold_until = 10;
    client.connections.send(client.open, base::as_bytes("01234"));
    ASSERT_TRUE(turn_until([&] { return server.reads == 1; }));
    server.hold_until = 0;
    server.connections.present_again(server.opened.front());
    EXPECT_TRUE(turn_until([&] { return client.received == "01234"; }));
    EXPECT_EQ(server.reads, 2);
    server.connections.present_again(server.opened.front());
    server.connections.present_again(server.opened.front() + 1);
    EXPECT_EQ(server.reads, 2) << "nothing is left, or nobody is there";
}

TEST_F(Tcp, more_than_the_read_buffer_can_wait_unconsumed) {
    connect();
    const std::string large(3'000'000, 'x');
    server.hold_until = large.size();
    client.connections.send(client.open, base::as_bytes(large));
    EXPECT_TRUE(turn_until([&] { return client.received.size() == large.size(); }));
    EXPECT_EQ(client.received, large);
}

TEST_F(Tcp, an_end_that_arrives_together_with_the_last_bytes_is_seen_behind_them) {
    connect();
    server.connections.pause_reading(true);
    client.connections.send(client.open, base::as_bytes("last"));
    client.connections.close(client.open);
    ASSERT_TRUE(turn_until([&] { return client.closes == 1; }));  // bytes and end are both in the server's socket now
    server.connections.pause_reading(false);
    ASSERT_TRUE(turn_until([&] { return !server.closed.empty(); }));
    EXPECT_EQ(server.reads, 1);
}

TEST_F(Tcp, more_than_one_read_takes_is_read_to_its_end_though_no_new_event_comes) {
    connect();
    const std::string much(3'000'000, 'm');
    server.connections.pause_reading(true);
    client.connections.send(client.open, base::as_bytes(much));
    for (int i = 0; i < 20; ++i) loop.run_once(clock.now());
    server.connections.pause_reading(false);
    EXPECT_TRUE(turn_until([&] { return client.received.size() == much.size(); }));
    EXPECT_GT(server.reads, 3);
}

TEST_F(Tcp, a_graceful_close_delivers_the_last_bytes_even_when_input_was_left_unread) {
    connect();
    server.close_after_echo = true;
    client.connections.send(client.open, base::as_bytes("last words"));
    ASSERT_TRUE(turn_until([&] { return server.closed.size() == 1; }));
    client.connections.send(client.open, base::as_bytes("nobody reads this"));
    EXPECT_TRUE(turn_until([&] { return client.closes == 1; }));
    EXPECT_EQ(client.received, "last words");
    EXPECT_EQ(client.why, base::Errc::closed);
    EXPECT_EQ(server.connections.count(), 0U);
}

TEST_F(Tcp, a_closed_connection_keeps_its_descriptor_until_its_peer_has_closed_too) {
    server.close_after_echo = true;
    connect();
    client.connections.pause_reading(true);  // it does not see the end
    client.connections.send(client.open, base::as_bytes("x"));
    ASSERT_TRUE(turn_until([&] { return !server.closed.empty(); }));
    EXPECT_EQ(server.released, 0);
    client.connections.abort(client.open);
    EXPECT_TRUE(turn_until([&] { return server.released == 1; }));
    EXPECT_EQ(server.closed.size(), 1U);
}

TEST_F(Tcp, ids_of_closed_connections_are_dead_even_when_the_slot_is_used_again) {
    connect();
    const TcpId old = server.opened.front();
    client.connections.abort(client.open);
    ASSERT_TRUE(turn_until([&] { return server.closed.size() == 1 && client.closes == 1; }));
    server.opened.clear();
    connect();
    ASSERT_EQ(static_cast<std::uint32_t>(server.opened.front()), static_cast<std::uint32_t>(old)) << "the slot is used again";
    EXPECT_NE(server.opened.front(), old);
    server.connections.send(old, base::as_bytes("to the wrong one"));
    server.connections.abort(old);
    client.connections.send(client.open, base::as_bytes("ping"));
    EXPECT_TRUE(turn_until([&] { return client.received == "ping"; }));
}

TEST_F(Tcp, a_detached_connection_keeps_its_unread_bytes_and_is_not_reported_closed) {
    connect();
    server.detach_next = true;
    client.connections.send(client.open, base::as_bytes("abc"));
    ASSERT_TRUE(turn_until([&] { return server.detached.fd >= 0; }));
    EXPECT_EQ(base::as_text(server.detached.unread), "bc");
    EXPECT_TRUE(server.closed.empty());
    server.connections.adopt(std::move(server.detached));
    EXPECT_TRUE(turn_until([&] { return client.received == "bc"; }));
}

TEST_F(Tcp, a_paused_side_reads_nothing_until_resumed) {
    connect();
    server.connections.pause_reading(true);
    client.connections.send(client.open, base::as_bytes("wait"));
    for (int i = 0; i < 20; ++i) loop.run_once(clock.now() + std::chrono::milliseconds(1));
    EXPECT_EQ(server.reads, 0);
    server.connections.pause_reading(false);
    EXPECT_TRUE(turn_until([&] { return client.received == "wait"; }));
}

TEST_F(Tcp, a_refused_connection_is_reported_as_closed) {
    const auto port = listener->port();
    listener.reset();
    ASSERT_TRUE(client.connections.connect("127.0.0.1", port).has_value());
    EXPECT_TRUE(turn_until([&] { return client.closes == 1; }));
    EXPECT_EQ(client.why, base::Errc::refused);
}

TEST_F(Tcp, a_port_in_use_is_told_apart) {
    const auto second = TcpListener::open(loop, server, "127.0.0.1", listener->port());
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, base::Errc::in_use);
}

TEST(PeerAddress, loopback_is_all_of_127_and_the_mapped_form) {
    PeerAddress address;
    address.ip = {127, 8, 9, 10};
    address.port = 7;
    EXPECT_TRUE(address.loopback());
    EXPECT_EQ(address.text(), "127.8.9.10:7");
    address.ip = {10, 0, 0, 1};
    EXPECT_FALSE(address.loopback());
    PeerAddress mapped;
    mapped.v6 = true;
    mapped.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    EXPECT_TRUE(mapped.loopback());
}

class Counter final : public TurnTask {
public:
    Counter(EventLoop& loop, Mailbox<int>& box, int last) : loop_(loop), box_(box), last_(last) {}
    void on_turn(base::Monotonic) override {
        for (int value = 0; box_.pop(value);) {
            in_order = in_order && value == expected;
            ++expected;
            if (value == last_) loop_.stop();
        }
    }
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override {
        if (!box_.empty()) return loop_.now();
        return std::nullopt;
    }
    bool in_order = true;
    int expected = 0;

private:
    EventLoop& loop_;
    Mailbox<int>& box_;
    int last_;
};

TEST(Mailbox, every_value_arrives_once_in_order_and_a_sleeping_consumer_is_woken) {
    constexpr int kValues = 200'000;
    PosixClock clock;
    EventLoop loop(clock, std::chrono::microseconds(0));
    Mailbox<int> box(64, loop);
    Counter counter(loop, box, kValues - 1);
    loop.add_task(counter);
    std::thread producer([&box] {
        for (int i = 0; i < kValues;) {
            int value = i;
            if (box.push(std::move(value))) {
                ++i;
            } else {
                std::this_thread::yield();
            }
        }
    });
    loop.run();  // hangs, and the test's time limit ends it, if a value is slept over
    producer.join();
    EXPECT_TRUE(counter.in_order);
    EXPECT_EQ(counter.expected, kValues);
}

TEST(Mailbox, a_full_box_refuses_and_leaves_the_value_untouched) {
    PosixClock clock;
    EventLoop loop(clock, std::chrono::microseconds(0));
    Mailbox<std::string> box(2, loop);
    EXPECT_TRUE(box.push("a"));
    EXPECT_TRUE(box.push("b"));
    std::string third = "c";
    EXPECT_FALSE(box.push(std::move(third)));
    EXPECT_EQ(third, "c");
}

// Limits

TEST_F(Tcp, one_connection_is_held_and_goes_on_with_what_it_left) {
    connect();
    server.hold_until = 10;
    client.connections.send(client.open, base::as_bytes("01234"));
    ASSERT_TRUE(turn_until([&] { return server.reads == 1; }));
    server.hold_until = 0;
    server.connections.hold(server.opened.front(), true);
    client.connections.send(client.open, base::as_bytes("56789"));
    for (int i = 0; i < 20; ++i) loop.run_once(clock.now() + std::chrono::milliseconds(1));
    EXPECT_EQ(server.reads, 1) << "held: nothing is presented";
    server.connections.hold(server.opened.front(), false);
    EXPECT_EQ(server.reads, 2) << "first what it left";
    EXPECT_TRUE(turn_until([&] { return client.received == "0123456789"; }));
}

TEST_F(Tcp, a_held_connection_whose_peer_goes_is_found_out_when_it_is_read_again) {
    connect();
    server.connections.hold(server.opened.front(), true);
    client.connections.close(client.open);
    for (int i = 0; i < 20; ++i) loop.run_once(clock.now() + std::chrono::milliseconds(1));
    server.connections.hold(server.opened.front(), false);
    EXPECT_TRUE(turn_until([&] { return server.closed.size() == 1; }));
}

TEST_F(Tcp, memory_grows_with_what_is_not_consumed_and_is_given_back) {
    connect();
    const std::size_t before = server.connections.memory();
    server.hold_until = 200'000;
    client.connections.send(client.open, base::Bytes(150'000));
    ASSERT_TRUE(turn_until([&] { return server.connections.memory() >= before + 150'000; }));
    client.connections.close(client.open);
    ASSERT_TRUE(turn_until([&] { return server.closed.size() == 1; }));
    EXPECT_TRUE(turn_until([&] { return server.connections.memory() <= before; }));
}

TEST_F(Tcp, what_there_is_no_room_for_closes_its_connection) {
    connect();
    server.hold_until = 200'000;
    server.connections.set_room(50'000);
    client.connections.send(client.open, base::Bytes(10'000));
    for (int i = 0; i < 20; ++i) loop.run_once(clock.now() + std::chrono::milliseconds(1));
    EXPECT_TRUE(server.closed.empty());
    server.connections.set_room(50'000);
    client.connections.send(client.open, base::Bytes(150'000));
    EXPECT_TRUE(turn_until([&] { return server.closed.size() == 1; }));
    EXPECT_EQ(server.connections.shed(), 1U);
}

TEST_F(Tcp, the_largest_are_closed_first) {
    connect();
    const TcpId small = client.open;
    connect();
    ASSERT_TRUE(turn_until([&] { return server.opened.size() == 2; }));
    server.hold_until = 200'000;
    client.connections.send(small, base::Bytes(20'000));
    client.connections.send(client.open, base::Bytes(100'000));
    const std::size_t before = server.connections.memory();
    ASSERT_TRUE(turn_until([&] { return server.connections.memory() >= before + 100'000; }));
    server.connections.shed_largest(50'000);
    ASSERT_TRUE(turn_until([&] { return server.closed.size() == 1; }));
    EXPECT_EQ(server.closed.front(), server.opened.back());
    EXPECT_EQ(server.connections.shed(), 1U);
}

TEST_F(Tcp, a_paused_listener_accepts_nothing_until_it_goes_on) {
    listener->pause(true);
    ASSERT_TRUE(client.connections.connect("127.0.0.1", listener->port()).has_value());
    ASSERT_TRUE(turn_until([&] { return client.open != 0; })) << "the system's queue takes it";
    for (int i = 0; i < 20; ++i) loop.run_once(clock.now() + std::chrono::milliseconds(1));
    EXPECT_TRUE(server.opened.empty());
    listener->pause(false);
    EXPECT_TRUE(turn_until([&] { return server.opened.size() == 1; }));
}

}  // namespace
}  // namespace sluice::posix
