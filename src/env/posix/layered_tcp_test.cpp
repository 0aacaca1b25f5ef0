// TcpConnections with layers, and over Unix sockets.
#include <fstream>
#include <utility>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "env/posix/clock.hpp"
#include "env/posix/tcp.hpp"

namespace sluice::posix {
namespace {

/// Flips a bit of each byte; the first byte is a handshake, answered with a question mark; 'Q' (behind the flip) fails.
class Flip final : public StreamLayer {
public:
    [[nodiscard]] Kind kind() const override { return Kind::tls; }
    State receive(base::ByteView in, base::Bytes& up, base::Bytes& down) override {
        for (const base::Byte each : in) {
            if (!open_) {
                open_ = true;
                down.push_back('?');
                continue;
            }
            if ((each ^ 1) == 'Q') {
                base::append(down, "alert");
                return State::failed;
            }
            if ((each ^ 1) == 'E') return State::ended;
            up.push_back(each ^ 1);
        }
        return open_ ? State::open : State::opening;
    }
    void send(base::ByteView plain, base::Bytes& down) override {
        for (const base::Byte each : plain) down.push_back(each ^ 1);
    }
    void finish(base::Bytes& down) override { base::append(down, "."); }
    [[nodiscard]] std::string_view failure() const override { return "a Q"; }
    [[nodiscard]] std::string_view certificate_name() const override { return open_ ? "flipper" : ""; }
    [[nodiscard]] const PeerAddress* peer() const override { return &peer_; }

private:
    bool open_ = false;
    PeerAddress peer_{.ip = {192, 0, 2, 1}, .port = 7};
};

std::string flipped(std::string text) {
    for (char& each : text) each = static_cast<char>(each ^ 1);
    return text;
}

class LayeredTcp : public testing::Test {
protected:
    class Server : public TcpHandler, public TcpListener::Sink {
    public:
        explicit Server(EventLoop& loop) : connections(loop, *this) {}
        void on_accept(DetachedConnection&& connection) override {
            if (layered) {
                std::vector<std::unique_ptr<StreamLayer>> layers;
                layers.push_back(std::make_unique<Flip>());
                connection.layers = std::make_unique<LayerStack>(std::move(layers));
            }
            connections.adopt(std::move(connection));
        }
        void on_open(TcpId id, const PeerAddress& from) override {
            open = id;
            peer = from;
        }
        void on_layer(TcpId id, const StreamLayer& layer, std::string_view failure) override {
            log += failure.empty() ? "opened " + connections.peer(id).text() + ";" : "failed: " + std::string(failure) + ";";
            EXPECT_EQ(layer.kind(), StreamLayer::Kind::tls);
        }
        std::size_t on_bytes(TcpId id, base::ByteView bytes) override {
            ++reads;
            if (detach_next) {
                detach_next = false;
                detached = connections.detach(id, 0);
                return 0;
            }
            if (hold_next) {
                hold_next = false;
                connections.hold(id, true);
                return 0;
            }
            if (bytes.size() < hold_until) {
                if (tell_expected) connections.expect(id, hold_until);
                return 0;
            }
            received.append(base::as_text(bytes));
            if (echo) connections.send(id, bytes);
            return bytes.size();
        }
        void on_closed(TcpId, const base::Error&) override { ++closes; }

        bool layered = true;
        bool echo = true;
        bool detach_next = false;
        bool hold_next = false;
        bool tell_expected = false;
        std::size_t hold_until = 0;
        int reads = 0;
        int closes = 0;
        TcpId open = 0;
        PeerAddress peer;
        std::string log;
        std::string received;
        DetachedConnection detached;
        TcpConnections connections;
    };

    LayeredTcp() { loop.add_task(server.connections); }
    void TearDown() override {
        if (client >= 0) ::close(client);
        if (server.detached.fd >= 0) ::close(server.detached.fd);
    }
    /// A pair of sockets: one end the server's, the other a plain descriptor.
    void connect() {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        client = ends[0];
        DetachedConnection connection;
        connection.fd = ends[1];
        server.on_accept(std::move(connection));
    }
    void give(const std::string& bytes) {
        for (std::size_t sent = 0; sent < bytes.size();) {
            const auto count = ::send(client, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (count > 0) sent += static_cast<std::size_t>(count);
            turn();
        }
        turn();
    }
    /// The peer goes.
    void leave() {
        ::close(std::exchange(client, -1));
        for (int i = 0; i < 20; ++i) turn();
    }
    void turn() {
        loop.run_once(clock.now() + std::chrono::milliseconds(1));
        char buffer[65536];
        while (reading) {
            const auto count = ::recv(client, buffer, sizeof buffer, 0);
            if (count == 0) ended = true;
            if (count <= 0) break;
            got.append(buffer, static_cast<std::size_t>(count));
        }
    }
    template <class Condition>
    bool turn_until(Condition&& condition) {
        for (int i = 0; i < 5000 && !condition(); ++i) turn();
        return condition();
    }

    PosixClock clock;
    EventLoop loop{clock, std::chrono::microseconds(0)};
    Server server{loop};
    int client = -1;
    bool reading = true;
    bool ended = false;
    std::string got;
};

TEST_F(LayeredTcp, the_handler_sees_what_the_layer_made_and_the_peer_that_it_tells) {
    connect();
    EXPECT_EQ(server.connections.certificate_name(server.open), "");
    give("h" + flipped("hello"));
    EXPECT_TRUE(turn_until([&] { return got == "?" + flipped("hello"); })) << got;
    EXPECT_EQ(server.received, "hello");
    EXPECT_EQ(server.log, "opened 192.0.2.1:7;");
    EXPECT_EQ(server.connections.certificate_name(server.open), "flipper");
}

TEST_F(LayeredTcp, what_is_not_consumed_is_presented_again_and_not_before_what_is_expected) {
    server.hold_until = 500'000;
    server.tell_expected = true;
    connect();
    const std::string large(500'000, 'x');
    give("h" + flipped(large));
    ASSERT_TRUE(turn_until([&] { return server.received.size() == large.size(); }));
    EXPECT_EQ(server.reads, 2);
    server.hold_until = 10;
    server.tell_expected = false;
    give(flipped("01234"));
    give(flipped("56789"));
    EXPECT_TRUE(turn_until([&] { return got == "?" + flipped(large + "0123456789"); }));
}

TEST_F(LayeredTcp, output_that_the_peer_does_not_read_is_counted_whole_and_leaves_later) {
    connect();
    give("h");
    reading = false;
    const std::string large(3'000'000, 'y');
    server.connections.send(server.open, base::as_bytes(large));
    for (int i = 0; i < 10; ++i) turn();
    const std::size_t queued = server.connections.queued_bytes(server.open);
    EXPECT_GT(queued, 2'000'000U);
    EXPECT_LE(queued, large.size());
    reading = true;
    EXPECT_TRUE(turn_until([&] { return got.size() == 1 + large.size(); }));
    EXPECT_EQ(server.connections.queued_bytes(server.open), 0U);
    EXPECT_EQ(got, "?" + flipped(large));
}

TEST_F(LayeredTcp, a_close_sends_the_output_and_then_the_layers_last_words) {
    connect();
    give("h");
    server.connections.send(server.open, base::as_bytes("last"));
    server.connections.close(server.open);
    EXPECT_TRUE(turn_until([&] { return ended; }));
    EXPECT_EQ(got, "?" + flipped("last") + ".");
    EXPECT_EQ(server.closes, 1);
}

TEST_F(LayeredTcp, a_close_before_the_handshake_does_not_wait_for_it) {
    connect();
    server.connections.send(server.open, base::as_bytes("cannot leave"));
    server.connections.close(server.open);
    EXPECT_TRUE(turn_until([&] { return ended && server.closes == 1; }));
    EXPECT_EQ(got, ".");
}

TEST_F(LayeredTcp, a_failure_is_told_answered_and_closed) {
    connect();
    server.echo = false;
    give("h" + flipped("beforeQafter"));
    EXPECT_TRUE(turn_until([&] { return ended && server.closes == 1; }));
    EXPECT_EQ(got, "?alert");
    EXPECT_EQ(server.log, "failed: a Q;");
    EXPECT_EQ(server.received, "before");
}

TEST_F(LayeredTcp, a_goodbye_of_the_peer_closes_after_what_came_before_it) {
    connect();
    server.echo = false;
    give("h" + flipped("restE"));
    EXPECT_TRUE(turn_until([&] { return ended && server.closes == 1; }));
    EXPECT_EQ(server.received, "rest");
    EXPECT_EQ(got, "?.");
}

// A peer that goes while it is not read: over Unix sockets and through layers its end comes before what it has sent is consumed.

TEST_F(LayeredTcp, what_a_peer_sent_before_it_went_is_read_when_it_is_held_no_longer) {
    server.layered = false;
    connect();
    server.hold_next = true;
    give("held,");
    give("unread");
    leave();
    EXPECT_EQ(server.closes, 0) << "its last words have not been read";
    server.connections.hold(server.open, false);
    EXPECT_EQ(server.received, "held,");
    EXPECT_TRUE(turn_until([&] { return server.closes == 1; }));
    EXPECT_EQ(server.received, "held,unread");
}

TEST_F(LayeredTcp, what_a_peer_sent_before_it_went_is_read_when_reading_goes_on) {
    server.layered = false;
    connect();
    server.connections.pause_reading(true);
    give("unread");
    leave();
    EXPECT_EQ(server.closes, 0);
    server.connections.pause_reading(false);
    EXPECT_TRUE(turn_until([&] { return server.closes == 1; }));
    EXPECT_EQ(server.received, "unread");
}

TEST_F(LayeredTcp, an_answer_that_cannot_leave_does_not_end_a_connection_before_its_last_bytes) {
    for (const bool layered : {false, true}) {
        server.layered = layered;
        server.received.clear();
        server.closes = 0;
        connect();
        if (layered) give("!");
        server.hold_next = true;
        give(layered ? flipped("held,") : "held,");
        give(layered ? flipped("unread") : "unread");
        leave();
        server.connections.send(server.open, base::as_bytes("nobody hears this"));
        for (int i = 0; i < 5; ++i) turn();
        EXPECT_EQ(server.closes, 0);
        EXPECT_EQ(server.connections.queued_bytes(server.open), 0U);
        server.connections.hold(server.open, false);
        EXPECT_TRUE(turn_until([&] { return server.closes == 1; }));
        EXPECT_EQ(server.received, "held,unread");
    }
}

TEST_F(LayeredTcp, a_goodbye_behind_what_is_held_counts_when_that_is_consumed) {
    connect();
    give("!");
    server.hold_next = true;
    give(flipped("lastE"));
    for (int i = 0; i < 5; ++i) turn();
    EXPECT_EQ(server.closes, 0);
    server.hold_next = true;
    server.connections.hold(server.open, false);
    for (int i = 0; i < 5; ++i) turn();
    EXPECT_EQ(server.closes, 0) << "held again";
    server.connections.hold(server.open, false);
    EXPECT_TRUE(turn_until([&] { return server.closes == 1; }));
    EXPECT_EQ(server.received, "last");
}

TEST_F(LayeredTcp, layers_move_with_their_connection_and_so_does_what_they_have_not_sent) {
    connect();
    server.detach_next = true;
    give("h" + flipped("abc"));
    ASSERT_TRUE(turn_until([&] { return server.detached.fd >= 0; }));
    EXPECT_EQ(base::as_text(server.detached.unread), "abc");
    ASSERT_NE(server.detached.layers, nullptr);
    EXPECT_EQ(server.detached.peer.text(), "192.0.2.1:7");
    EXPECT_EQ(got, "") << "the handshake's answer was made in the same turn";
    server.connections.adopt(std::move(server.detached));
    server.detached.fd = -1;
    EXPECT_TRUE(turn_until([&] { return got == "?" + flipped("abc"); })) << got;
    EXPECT_EQ(server.peer.text(), "192.0.2.1:7");
}

class UnixListener : public LayeredTcp {
protected:
    UnixListener() {
        char name[] = "/tmp/sluice-unix-XXXXXX";
        folder = ::mkdtemp(name);
        path = folder + "/s";
    }
    void TearDown() override {
        LayeredTcp::TearDown();
        listener.reset();
        ::unlink(path.c_str());
        ::rmdir(folder.c_str());
    }
    base::Errc open_fails(const std::string& at) {
        auto opened = TcpListener::open_unix(loop, server, at, 0600);
        return opened ? base::Errc::internal : opened.error().code;
    }
    std::string folder;
    std::string path;
    std::unique_ptr<TcpListener> listener;
};

TEST_F(UnixListener, connections_are_local_and_the_file_goes_with_the_listener) {
    const mode_t before = ::umask(0077);
    auto opened = TcpListener::open_unix(loop, server, path, 0660);
    ::umask(before);
    ASSERT_TRUE(opened.has_value());
    listener = std::move(*opened);
    struct stat made {};
    ASSERT_EQ(::stat(path.c_str(), &made), 0);
    EXPECT_EQ(made.st_mode & 0777, 0660U);
    server.layered = false;
    client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    give("hello");
    EXPECT_TRUE(turn_until([&] { return got == "hello"; }));
    EXPECT_TRUE(server.peer.loopback());
    EXPECT_EQ(server.peer.text(), "unix socket");
    EXPECT_EQ(open_fails(path), base::Errc::in_use);
    listener.reset();
    EXPECT_NE(::stat(path.c_str(), &made), 0);
}

/// Says hello on a connection that it made.
class Caller final : public TcpHandler {
public:
    explicit Caller(EventLoop& loop) : connections(loop, *this) { loop.add_task(connections); }
    void on_open(TcpId id, const PeerAddress& peer) override {
        to = peer.text();
        connections.send(id, base::as_bytes("hello"));
    }
    std::size_t on_bytes(TcpId, base::ByteView bytes) override {
        got.append(base::as_text(bytes));
        return bytes.size();
    }
    void on_closed(TcpId, const base::Error& error) override { why = error.code; }
    std::string to;
    std::string got;
    std::optional<base::Errc> why;
    TcpConnections connections;
};

TEST_F(UnixListener, connections_can_be_made_to_one) {
    Caller caller(loop);
    EXPECT_EQ(caller.connections.connect_unix(path).error().code, base::Errc::not_found);
    EXPECT_EQ(caller.connections.connect_unix(std::string(TcpListener::kUnixPathMax + 1, 'x')).error().code, base::Errc::too_large);
    auto opened = TcpListener::open_unix(loop, server, path, 0660);
    ASSERT_TRUE(opened.has_value());
    server.layered = false;
    ASSERT_TRUE(caller.connections.connect_unix(path));
    EXPECT_TRUE(turn_until([&] { return caller.got == "hello"; })) << "it is an echo";
    EXPECT_EQ(caller.to, "unix socket");
}

TEST_F(UnixListener, only_a_socket_that_nobody_listens_on_is_replaced) {
    EXPECT_EQ(open_fails(folder + "/no/such"), base::Errc::not_found);
    EXPECT_EQ(open_fails("/" + std::string(TcpListener::kUnixPathMax, 'x')), base::Errc::too_large);
    std::ofstream(path) << "precious";
    EXPECT_EQ(open_fails(path), base::Errc::exists);
    ASSERT_EQ(::unlink(path.c_str()), 0);
}

TEST(PeerAddress, only_what_is_known_for_sure_is_loopback) {
    PeerAddress local{.ip = {127, 0, 0, 1}, .port = 5};
    EXPECT_TRUE(local.loopback());
    local.hearsay = true;
    EXPECT_FALSE(local.loopback());
    PeerAddress file{.unix_socket = true};
    EXPECT_TRUE(file.loopback());
    EXPECT_EQ(file.text(), "unix socket");
    file.hearsay = true;
    EXPECT_FALSE(file.loopback());
    EXPECT_FALSE((PeerAddress{.ip = {192, 0, 2, 1}}).loopback());
}

}  // namespace
}  // namespace sluice::posix
