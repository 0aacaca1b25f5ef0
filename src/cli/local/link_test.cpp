#include "cli/local/link.hpp"

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "env/posix/clock.hpp"

namespace sluice::local {
namespace {

/// Sends back what it gets.
class Echo final : public posix::TcpListener::Sink, public posix::TcpHandler {
public:
    explicit Echo(posix::EventLoop& loop) : connections_(loop, *this) {
        listener_ = std::move(posix::TcpListener::open(loop, *this, "127.0.0.1", 0).value());
        loop.add_task(connections_);
    }
    [[nodiscard]] std::uint16_t port() const { return listener_->port(); }
    int closed = 0;

private:
    void on_accept(posix::DetachedConnection&& connection) override { connections_.adopt(std::move(connection)); }
    void on_open(posix::TcpId, const posix::PeerAddress&) override {}
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override {
        connections_.send(id, bytes);
        return bytes.size();
    }
    void on_closed(posix::TcpId, const base::Error&) override { ++closed; }
    posix::TcpConnections connections_;
    std::unique_ptr<posix::TcpListener> listener_;
};

class Caller final : public posix::TcpHandler {
public:
    explicit Caller(posix::EventLoop& loop) : connections_(loop, *this) { loop.add_task(connections_); }
    void call(std::uint16_t port) {
        closed = false;
        heard.clear();
        id_ = connections_.connect("127.0.0.1", port).value();
    }
    void say(std::string_view text) { connections_.send(id_, base::as_bytes(text)); }
    void hang_up() { connections_.close(id_); }
    std::string heard;
    bool open = false;
    bool closed = false;

private:
    void on_open(posix::TcpId, const posix::PeerAddress&) override { open = true; }
    std::size_t on_bytes(posix::TcpId, base::ByteView bytes) override {
        heard += base::as_text(bytes);
        return bytes.size();
    }
    void on_closed(posix::TcpId, const base::Error&) override { closed = true; }
    posix::TcpConnections connections_;
    posix::TcpId id_ = 0;
};

struct LinkTest : ::testing::Test {
    posix::PosixClock clock;
    posix::EventLoop loop{clock, std::chrono::microseconds(0)};
    Echo echo{loop};
    std::unique_ptr<Link> link = std::move(Link::open(loop, echo.port()).value());
    Caller caller{loop};
    template <class Condition>
    void until(Condition holds) {
        while (!holds()) loop.run_once(std::nullopt);
    }
};

TEST_F(LinkTest, bytes_pass_both_ways_and_a_hang_up_passes_on) {
    caller.call(link->port());
    until([&] { return caller.open; });
    caller.say("hello");
    until([&] { return caller.heard == "hello"; });
    caller.hang_up();
    until([&] { return caller.closed && echo.closed == 1; });
    EXPECT_EQ(link->counters().connections, 1U);
    EXPECT_EQ(link->counters().bytes, 10U);
}

TEST_F(LinkTest, a_cut_breaks_both_ends_and_lets_nobody_in_until_it_is_restored) {
    caller.call(link->port());
    caller.open = false;
    until([&] { return caller.open; });
    caller.say("x");
    until([&] { return caller.heard == "x"; });
    link->cut();
    until([&] { return caller.closed && echo.closed == 1; });
    EXPECT_EQ(link->counters().broken, 1U);
    caller.call(link->port());
    until([&] { return caller.closed; });
    EXPECT_EQ(link->counters().refused, 1U);
    link->restore();
    caller.open = false;
    caller.call(link->port());
    until([&] { return caller.open; });
    caller.say("again");
    until([&] { return caller.heard == "again"; });
}

}  // namespace
}  // namespace sluice::local
