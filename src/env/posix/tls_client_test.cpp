// Connections that we make with TLS: against our own listener's layer in memory, and over sockets.
#include "env/posix/tls_client.hpp"

#include <gtest/gtest.h>

#include "env/posix/clock.hpp"
#include "env/posix/tcp.hpp"
#include "env/posix/tls_test_certificates.hpp"

namespace sluice::posix {
namespace {

TestCa& ca() {
    static TestCa one("Test CA");
    return one;
}

TestCa& stranger() {
    static TestCa one("Stranger");
    return one;
}

TlsOptions server_options(const TestCa::Wish& wish = {.common_name = "plant", .alternative_names = "DNS:plant.example,IP:192.0.2.7"}) {
    const auto certificate = ca().issue(wish);
    TlsOptions out;
    out.identities.push_back({"", certificate.cert, certificate.key});
    out.alpn = {"mqtt"};
    return out;
}

TlsClientOptions client_options() { return {.server = "plant.example", .ca = ca().cert(), .alpn = {"mqtt"}}; }

template <class Made, class Options>
auto make(const Options& options) {
    std::vector<TlsProblem> problems;
    auto made = Made::make(options, problems);
    for (const auto& problem : problems) EXPECT_TRUE(problem.warning) << problem.message;
    return made;
}

/// Both ends of one connection, talking until neither has anything to say.
struct Talk {
    Talk(const std::shared_ptr<TlsClient>& client, const std::shared_ptr<const TlsContext>& server)
        : ours(client->connect()), theirs(server->accept()) {
        ours.start();
        talk();
    }
    void talk() {
        for (int round = 0; round < 20 && (ours.wire_left() != 0 || theirs.wire_left() != 0); ++round) {
            pass(ours, theirs, their_plain, their_events);
            pass(theirs, ours, our_plain, our_events);
        }
    }
    static void pass(LayerStack& from, LayerStack& to, base::Bytes& plain, std::vector<LayerStack::Event>& events) {
        const base::Bytes wire(from.wire().begin(), from.wire().end());
        from.wire_taken(wire.size());
        if (!wire.empty()) to.receive(wire, plain, events);
    }
    [[nodiscard]] std::string failure() const {
        for (const auto& event : our_events) {
            if (!event.failure.empty()) return std::string(event.failure);
        }
        return {};
    }
    [[nodiscard]] bool resumed() const { return !our_events.empty() && our_events[0].layer->resumed(); }

    LayerStack ours;
    LayerStack theirs;
    base::Bytes our_plain;
    base::Bytes their_plain;
    std::vector<LayerStack::Event> our_events;
    std::vector<LayerStack::Event> their_events;
};

std::string outcome(const TlsClientOptions& options, const TlsOptions& server) {
    Talk talk(make<TlsClient>(options), make<TlsContext>(server));
    return talk.ours.ready() && talk.theirs.ready() ? "open" : "refused: " + talk.failure();
}

TEST(TlsClient, bytes_of_both_sides_arrive) {
    Talk talk(make<TlsClient>(client_options()), make<TlsContext>(server_options()));
    ASSERT_TRUE(talk.ours.ready()) << talk.failure();
    const std::string large(100'000, 'x');
    talk.ours.send(base::as_bytes("hello"));
    talk.ours.send(base::as_bytes(large));
    talk.theirs.send(base::as_bytes("answer"));
    talk.talk();
    EXPECT_EQ(base::as_text(talk.their_plain), "hello" + large);
    EXPECT_EQ(base::as_text(talk.our_plain), "answer");
    talk.ours.finish();
    talk.talk();
    EXPECT_TRUE(talk.theirs.over()) << "the goodbye was told";
}

TEST(TlsClient, the_server_must_have_a_certificate_of_a_known_signer_for_the_name_we_asked_for) {
    EXPECT_EQ(outcome(client_options(), server_options()), "open");
    auto wrong_ca = client_options();
    wrong_ca.ca = stranger().cert();
    EXPECT_EQ(outcome(wrong_ca, server_options()), "refused: certificate verify failed: unable to get local issuer certificate");
    auto wrong_name = client_options();
    wrong_name.server = "other.example";
    EXPECT_EQ(outcome(wrong_name, server_options()), "refused: certificate verify failed: hostname mismatch");
    const TestCa::Wish expired{.common_name = "plant", .alternative_names = "DNS:plant.example", .valid_until_seconds = -10};
    EXPECT_EQ(outcome(client_options(), server_options(expired)), "refused: certificate verify failed: certificate has expired");
    const TestCa::Wish early{.common_name = "plant", .alternative_names = "DNS:plant.example", .valid_from_seconds = 1000};
    EXPECT_EQ(outcome(client_options(), server_options(early)), "refused: certificate verify failed: certificate is not yet valid");
    auto nobody = client_options();
    nobody.ca.clear();
    EXPECT_TRUE(outcome(nobody, server_options()).starts_with("refused: certificate verify failed")) << "this system does not know our CA";
    wrong_ca.verify = false;
    EXPECT_EQ(outcome(wrong_ca, server_options(expired)), "open") << "asked for";
}

TEST(TlsClient, an_address_must_stand_in_the_certificate_as_one) {
    auto options = client_options();
    options.server = "192.0.2.7";
    EXPECT_EQ(outcome(options, server_options()), "open");
    options.server = "192.0.2.8";
    EXPECT_EQ(outcome(options, server_options()), "refused: certificate verify failed: IP address mismatch");
    options.server = "::1";
    EXPECT_EQ(outcome(options, server_options({.common_name = "x", .alternative_names = "IP:::1"})), "open");
}

TEST(TlsClient, the_certificate_itself_can_be_what_is_trusted) {
    auto server = server_options();
    auto options = client_options();
    options.ca = server.identities[0].cert;
    EXPECT_EQ(outcome(options, server), "open");
    EXPECT_NE(outcome(options, server_options()), "open") << "another one of the same signer is not it";
}

TEST(TlsClient, a_name_is_told_to_the_server_and_decides_its_certificate) {
    auto server = server_options({.common_name = "x", .alternative_names = "DNS:x.example"});
    const auto other = ca().issue({.common_name = "plant", .alternative_names = "DNS:plant.example"});
    server.identities.push_back({"plant.example", other.cert, other.key});
    EXPECT_EQ(outcome(client_options(), server), "open");
}

TEST(TlsClient, shows_its_certificate_when_it_has_one) {
    auto server = server_options();
    server.ca = ca().cert();
    server.require_client_cert = true;
    auto options = client_options();
    EXPECT_NE(outcome(options, server), "open");
    const auto ours = ca().issue({.common_name = "gateway-7"});
    options.cert = ours.cert;
    options.key = ours.key;
    Talk talk(make<TlsClient>(options), make<TlsContext>(server));
    EXPECT_TRUE(talk.theirs.ready()) << talk.failure();
    EXPECT_EQ(talk.theirs.certificate_name(), "gateway-7");
}

TEST(TlsClient, a_refused_certificate_is_told_though_the_handshake_was_over) {
    auto server = server_options();
    server.ca = stranger().cert();
    auto options = client_options();
    const auto ours = ca().issue({.common_name = "gateway-7"});
    options.cert = ours.cert;
    options.key = ours.key;
    Talk talk(make<TlsClient>(options), make<TlsContext>(server));
    EXPECT_TRUE(talk.ours.over());
    EXPECT_EQ(talk.failure(), "tlsv1 alert unknown ca");
}

TEST(TlsClient, the_second_connection_takes_up_the_session_of_the_first_but_another_client_does_not) {
    const auto server = make<TlsContext>(server_options());
    const auto client = make<TlsClient>(client_options());
    Talk first(client, server);
    EXPECT_FALSE(first.resumed());
    Talk second(client, server);
    EXPECT_TRUE(second.ours.ready()) << second.failure();
    EXPECT_TRUE(second.resumed());
    Talk third(client, server);
    EXPECT_TRUE(third.resumed());
    Talk other(make<TlsClient>(client_options()), server);
    EXPECT_FALSE(other.resumed());
    Talk renewed(client, make<TlsContext>(server_options()));
    EXPECT_TRUE(renewed.ours.ready()) << renewed.failure() << ": a server with new keys only takes longer";
    EXPECT_FALSE(renewed.resumed());
}

TEST(TlsClient, a_session_outlives_a_connection_that_broke) {
    const auto server = make<TlsContext>(server_options());
    const auto client = make<TlsClient>(client_options());
    Talk(client, server).talk();
    EXPECT_TRUE(Talk(client, server).resumed());
}

TEST(TlsClient, an_answer_that_is_no_tls_fails_with_a_reason) {
    LayerStack ours(make<TlsClient>(client_options())->connect());
    ours.start();
    EXPECT_NE(ours.wire_left(), 0U);
    base::Bytes plain;
    std::vector<LayerStack::Event> events;
    ours.receive(base::as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n"), plain, events);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].failure, "wrong version number");
    EXPECT_TRUE(ours.over());
    EXPECT_TRUE(plain.empty());
}

std::string problems_of(const TlsClientOptions& options) {
    std::vector<TlsProblem> problems;
    const bool made = TlsClient::make(options, problems) != nullptr;
    EXPECT_EQ(made, problems.empty());
    return problems.empty() ? "" : problems[0].message;
}

TEST(TlsClient, what_is_wrong_with_certificates_is_said) {
    EXPECT_EQ(problems_of(client_options()), "");
    auto options = client_options();
    options.ca = "x";
    EXPECT_EQ(problems_of(options), "no certificate in it: expected PEM (-----BEGIN CERTIFICATE-----)");
    options = client_options();
    options.key = ca().issue({.common_name = "x"}).key;
    EXPECT_EQ(problems_of(options), "no certificate in it: expected PEM (-----BEGIN CERTIFICATE-----)") << "a key alone is a mistake";
    options = client_options();
    options.server.clear();
    EXPECT_EQ(problems_of(options), "'' is no name that a certificate can have");
}

/// A listener and a client on one loop.
class TlsClientSockets : public testing::Test, public TcpHandler, public TcpListener::Sink {
protected:
    TlsClientSockets() : loop(clock, std::chrono::microseconds(0)), connections(loop, *this) {
        loop.add_task(connections);
        auto opened = TcpListener::open(loop, *this, "127.0.0.1", 0);
        EXPECT_TRUE(opened);
        listener = std::move(*opened);
    }
    void on_accept(DetachedConnection&& connection) override {
        if (!mute) connection.layers = std::make_unique<LayerStack>(server->accept());
        connections.adopt(std::move(connection));
    }
    void on_open(TcpId id, const PeerAddress&) override {
        if (id != ours) return;
        ++stood;
        connections.send(id, base::as_bytes("hello"));
    }
    void on_layer(TcpId id, const StreamLayer& layer, std::string_view failure) override {
        if (id != ours) return;
        if (!failure.empty()) failures.emplace_back(failure);
        resumed += layer.resumed() ? 1 : 0;
    }
    std::size_t on_bytes(TcpId id, base::ByteView bytes) override {
        if (id == ours) {
            answers += bytes.size();
            connections.close(id);
        } else if (mute) {
            connections.abort(id);
        } else {
            received.append(base::as_text(bytes));
            connections.send(id, base::as_bytes("x"));
        }
        return bytes.size();
    }
    void on_closed(TcpId id, const base::Error& why) override {
        if (id == ours) closed.push_back(why.code);
    }
    template <class Condition>
    bool turn_until(Condition holds) {
        for (int i = 0; i < 20'000 && !holds(); ++i) loop.run_once(loop.now() + std::chrono::milliseconds(1));
        return holds();
    }
    void dial(const std::shared_ptr<TlsClient>& client) {
        const auto id = connections.connect("127.0.0.1", listener->port(), std::make_unique<LayerStack>(client->connect()));
        ASSERT_TRUE(id);
        ours = *id;
    }

    PosixClock clock;
    EventLoop loop;
    TcpConnections connections;
    std::unique_ptr<TcpListener> listener;
    std::shared_ptr<const TlsContext> server = make<TlsContext>(server_options());
    TcpId ours = 0;
    bool mute = false;  ///< no TLS: takes the client's first words and cuts the connection
    int stood = 0;
    int resumed = 0;
    std::size_t answers = 0;
    std::string received;
    std::vector<std::string> failures;
    std::vector<base::Errc> closed;
};

TEST_F(TlsClientSockets, what_is_sent_when_the_socket_stands_arrives_when_the_handshake_is_over) {
    const auto client = make<TlsClient>(client_options());
    dial(client);
    ASSERT_TRUE(turn_until([this] { return !closed.empty(); }));
    EXPECT_EQ(stood, 1);
    EXPECT_EQ(received, "hello");
    EXPECT_EQ(answers, 1U);
    EXPECT_EQ(closed[0], base::Errc::closed);
    dial(client);
    ASSERT_TRUE(turn_until([this] { return closed.size() == 2; }));
    EXPECT_EQ(resumed, 1);
    EXPECT_TRUE(failures.empty());
}

TEST_F(TlsClientSockets, a_connection_cut_in_the_handshake_is_closed_and_nothing_was_open) {
    mute = true;
    dial(make<TlsClient>(client_options()));
    ASSERT_TRUE(turn_until([this] { return !closed.empty(); }));
    EXPECT_TRUE(failures.empty()) << failures[0];
    EXPECT_EQ(answers, 0U);
    EXPECT_EQ(resumed, 0);
}

TEST_F(TlsClientSockets, a_failed_handshake_says_why_before_the_connection_is_closed_and_sends_nothing) {
    auto options = client_options();
    options.ca = stranger().cert();
    dial(make<TlsClient>(options));
    ASSERT_TRUE(turn_until([this] { return !closed.empty(); }));
    ASSERT_EQ(failures.size(), 1U);
    EXPECT_TRUE(failures[0].starts_with("certificate verify failed")) << failures[0];
    EXPECT_EQ(received, "");
}

}  // namespace
}  // namespace sluice::posix
