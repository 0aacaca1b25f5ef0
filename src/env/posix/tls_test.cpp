// TLS between a layer and OpenSSL's own client, in memory.
#include "env/posix/tls.hpp"

#include <deque>

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "env/posix/tls_test_certificates.hpp"

namespace sluice::posix {
namespace {

using State = StreamLayer::State;

TestCa& ca() {
    static TestCa one("Test CA");
    return one;
}

const TestCertificate& server_certificate() {
    static const TestCertificate one = ca().issue({.common_name = "plant.example", .alternative_names = "DNS:plant.example"});
    return one;
}

TlsOptions server_options() {
    TlsOptions out;
    out.identities.push_back({"", server_certificate().cert, server_certificate().key});
    out.alpn = {"mqtt", "x-amzn-mqtt-ca"};
    return out;
}

std::shared_ptr<const TlsContext> context_of(const TlsOptions& options) {
    std::vector<TlsProblem> problems;
    auto made = TlsContext::make(options, problems);
    for (const auto& problem : problems) EXPECT_TRUE(problem.warning) << problem.message;
    return made;
}

/// A client with memory BIOs, and what it wishes for.
class TlsClient {
public:
    TlsClient() : context_(SSL_CTX_new(TLS_client_method())) {}
    ~TlsClient() {
        if (session != nullptr) SSL_SESSION_free(session);
        SSL_free(ssl_);
        SSL_CTX_free(context_);
    }
    TlsClient(const TlsClient&) = delete;
    TlsClient& operator=(const TlsClient&) = delete;

    void use(const TestCertificate& certificate) {
        BIO* in = BIO_new_mem_buf(certificate.cert.data(), static_cast<int>(certificate.cert.size()));
        X509* parsed = PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
        BIO_free(in);
        SSL_CTX_use_certificate(context_, parsed);
        X509_free(parsed);
        in = BIO_new_mem_buf(certificate.key.data(), static_cast<int>(certificate.key.size()));
        EVP_PKEY* key = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
        BIO_free(in);
        SSL_CTX_use_PrivateKey(context_, key);
        EVP_PKEY_free(key);
    }
    void ask_for(const char* name) {  // what the macro SSL_set_tlsext_host_name stands for, without its C cast
        SSL_ctrl(ssl(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(name));
    }
    SSL_CTX* context() { return context_; }
    SSL* ssl() {
        if (ssl_ == nullptr) {
            SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT);
            ssl_ = SSL_new(context_);
            in_ = BIO_new(BIO_s_mem());
            out_ = BIO_new(BIO_s_mem());
            SSL_set_bio(ssl_, in_, out_);
            SSL_set_connect_state(ssl_);
        }
        return ssl_;
    }
    /// Takes what the server sent; returns what the client sends. Application data goes to `received`.
    base::Bytes turn(base::ByteView from_server) {
        ssl();
        if (!from_server.empty()) BIO_write(in_, from_server.data(), static_cast<int>(from_server.size()));
        if (!SSL_is_init_finished(ssl_)) SSL_do_handshake(ssl_);
        for (;;) {
            char buffer[4096];
            const int count = SSL_read(ssl_, buffer, sizeof buffer);
            if (count <= 0) break;
            received.append(buffer, static_cast<std::size_t>(count));
        }
        ERR_clear_error();
        base::Bytes out(BIO_ctrl_pending(out_));
        if (!out.empty()) BIO_read(out_, out.data(), static_cast<int>(out.size()));
        return out;
    }
    bool closed() { return (SSL_get_shutdown(ssl()) & SSL_RECEIVED_SHUTDOWN) != 0; }

    std::string received;
    SSL_SESSION* session = nullptr;

private:
    SSL_CTX* context_;
    SSL* ssl_ = nullptr;
    BIO* in_ = nullptr;
    BIO* out_ = nullptr;
};

/// A layer and a client that talk until neither has anything to say.
struct Pair {
    Pair(const std::shared_ptr<const TlsContext>& context, TlsClient& with) : layer(context->accept()), client(with) {}
    State talk() {
        base::Bytes to_client = std::move(down);
        down.clear();
        for (int rounds = 0; rounds < 20; ++rounds) {
            const base::Bytes to_server = client.turn(to_client);
            to_client.clear();
            if (to_server.empty()) break;
            if (state == State::failed || state == State::ended) break;
            state = layer->receive(to_server, up, to_client);
        }
        return state;
    }
    std::unique_ptr<StreamLayer> layer;
    TlsClient& client;
    State state = State::opening;
    base::Bytes up;
    base::Bytes down;
};

TEST(Tls, bytes_of_both_sides_arrive_in_every_size) {
    TlsClient client;
    Pair pair(context_of(server_options()), client);
    ASSERT_EQ(pair.talk(), State::open) << pair.layer->failure();
    EXPECT_FALSE(pair.layer->resumed());
    EXPECT_EQ(pair.layer->certificate_name(), "");
    const std::string large(100'000, 'x');
    SSL_write(client.ssl(), "hello", 5);
    SSL_write(client.ssl(), large.data(), static_cast<int>(large.size()));
    EXPECT_EQ(pair.talk(), State::open);
    EXPECT_EQ(base::as_text(pair.up), "hello" + large);
    pair.layer->send(base::as_bytes("answer"), pair.down);
    pair.layer->send(base::as_bytes(large), pair.down);
    pair.talk();
    EXPECT_EQ(client.received, "answer" + large);
}

TEST(Tls, what_comes_byte_by_byte_is_put_together) {
    TlsClient client;
    auto layer = context_of(server_options())->accept();
    base::Bytes up;
    base::Bytes to_client;
    State state = State::opening;
    for (int rounds = 0; rounds < 20; ++rounds) {
        const base::Bytes to_server = client.turn(to_client);
        to_client.clear();
        if (state == State::open && up.empty()) SSL_write(client.ssl(), "x", 1);
        for (const base::Byte each : to_server) state = layer->receive({&each, 1}, up, to_client);
    }
    EXPECT_EQ(state, State::open);
    EXPECT_EQ(base::as_text(up).substr(0, 1), "x");
}

TEST(Tls, versions_below_1_2_are_refused) {
    TlsClient client;
    SSL_CTX_set_security_level(client.context(), 0);
    SSL_CTX_set_min_proto_version(client.context(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(client.context(), TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(client.context(), "ALL:@SECLEVEL=0");
    Pair pair(context_of(server_options()), client);
    EXPECT_EQ(pair.talk(), State::failed);
    EXPECT_EQ(pair.layer->failure(), "unsupported protocol");
}

TEST(Tls, version_1_2_works_without_renegotiation) {
    TlsClient client;
    SSL_CTX_set_max_proto_version(client.context(), TLS1_2_VERSION);
    Pair pair(context_of(server_options()), client);
    EXPECT_EQ(pair.talk(), State::open) << pair.layer->failure();
    SSL_renegotiate(client.ssl());
    SSL_do_handshake(client.ssl());
    pair.talk();
    EXPECT_EQ(pair.state, State::failed) << "the client was turned down, and OpenSSL's gives up then";
    EXPECT_EQ(SSL_version(client.ssl()), TLS1_2_VERSION);
}

TEST(Tls, bytes_that_are_no_tls_fail_at_once_with_a_reason) {
    auto layer = context_of(server_options())->accept();
    base::Bytes up;
    base::Bytes down;
    EXPECT_EQ(layer->receive(base::as_bytes("GET / HTTP/1.1\r\n\r\n"), up, down), State::failed);
    EXPECT_EQ(layer->failure(), "http request");
    EXPECT_TRUE(up.empty());
}

TEST(Tls, a_goodbye_of_either_side_is_told) {
    TlsClient client;
    Pair pair(context_of(server_options()), client);
    ASSERT_EQ(pair.talk(), State::open);
    SSL_write(client.ssl(), "last", 4);
    SSL_shutdown(client.ssl());
    EXPECT_EQ(pair.talk(), State::ended);
    EXPECT_EQ(base::as_text(pair.up), "last");
    EXPECT_FALSE(client.closed());
    pair.layer->finish(pair.down);
    pair.talk();
    EXPECT_TRUE(client.closed());
}

TEST(Tls, a_ticket_takes_up_a_session_with_another_layer_of_the_context_but_not_of_a_new_one) {
    const auto options = server_options();
    const auto context = context_of(options);
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        TlsClient first;
        SSL_CTX_set_max_proto_version(first.context(), version);
        Pair pair(context, first);
        ASSERT_EQ(pair.talk(), State::open);
        pair.layer->send(base::as_bytes("x"), pair.down);
        pair.talk();
        first.session = SSL_get1_session(first.ssl());
        const auto again = [&](const std::shared_ptr<const TlsContext>& with) {
            TlsClient second;
            SSL_CTX_set_max_proto_version(second.context(), version);
            SSL_set_session(second.ssl(), first.session);
            Pair next(with, second);
            EXPECT_EQ(next.talk(), State::open) << next.layer->failure();
            return next.layer->resumed();
        };
        EXPECT_TRUE(again(context)) << version;
        EXPECT_FALSE(again(context_of(options))) << "certificates may have been revoked meanwhile";
    }
}

TEST(Tls, protocols_are_agreed_on_and_foreign_ones_refused) {
    const auto agreed = [](std::string offer) {
        TlsClient client;
        if (!offer.empty()) {
            SSL_CTX_set_alpn_protos(client.context(), reinterpret_cast<const unsigned char*>(offer.data()),
                                    static_cast<unsigned>(offer.size()));
        }
        Pair pair(context_of(server_options()), client);
        if (pair.talk() != State::open) return std::string("refused");
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(client.ssl(), &name, &size);
        return std::string(reinterpret_cast<const char*>(name), size);
    };
    EXPECT_EQ(agreed(""), "");
    EXPECT_EQ(agreed("\x02h2\x04mqtt"), "mqtt");
    EXPECT_EQ(agreed("\x0ex-amzn-mqtt-ca"), "x-amzn-mqtt-ca");
    EXPECT_EQ(agreed("\x02h2\x08http/1.1"), "refused");
}

TEST(Tls, the_certificate_is_that_of_the_name_asked_for) {
    auto options = server_options();
    const auto other = ca().issue({.common_name = "other"});
    const auto wild = ca().issue({.common_name = "wild"});
    options.identities.push_back({"other.example", other.cert, other.key});
    options.identities.push_back({"*.plants.example", wild.cert, wild.key});
    const auto shown = [context = context_of(options)](const char* name) {
        TlsClient client;
        if (name != nullptr) client.ask_for(name);
        Pair pair(context, client);
        EXPECT_EQ(pair.talk(), State::open) << pair.layer->failure();
        char text[64] = {};
        X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(client.ssl())), NID_commonName, text, sizeof text);
        return std::string(text);
    };
    EXPECT_EQ(shown(nullptr), "plant.example");
    EXPECT_EQ(shown("unknown.example"), "plant.example");
    EXPECT_EQ(shown("OTHER.example"), "other");
    EXPECT_EQ(shown("a.plants.example"), "wild");
    EXPECT_EQ(shown("a.b.plants.example"), "plant.example");
    EXPECT_EQ(shown("plants.example"), "plant.example");
}

/// How a handshake ends when the client shows this certificate: the name, or why not.
std::string shown_to(const TlsOptions& options, const TestCertificate* certificate, const char* name = nullptr) {
    TlsClient client;
    if (certificate != nullptr) client.use(*certificate);
    if (name != nullptr) client.ask_for(name);
    Pair pair(context_of(options), client);
    if (pair.talk() == State::open) return "name: " + std::string(pair.layer->certificate_name());
    return "refused: " + std::string(pair.layer->failure());
}

TEST(Tls, a_client_certificate_is_asked_for_verified_and_named) {
    auto options = server_options();
    const auto good = ca().issue({.common_name = "pump-1"});
    EXPECT_EQ(shown_to(options, &good), "name: ") << "not asked for";
    options.ca = ca().cert();
    EXPECT_EQ(shown_to(options, &good), "name: pump-1");
    EXPECT_EQ(shown_to(options, nullptr), "name: ") << "optional";
    options.require_client_cert = true;
    EXPECT_EQ(shown_to(options, &good), "name: pump-1");
    EXPECT_EQ(shown_to(options, nullptr), "refused: peer did not return a certificate");
    TestCa stranger("Stranger");
    const auto foreign = stranger.issue({.common_name = "pump-1"});
    EXPECT_TRUE(shown_to(options, &foreign).starts_with("refused: certificate verify failed")) << shown_to(options, &foreign);
    options.require_client_cert = false;
    EXPECT_TRUE(shown_to(options, &foreign).starts_with("refused: certificate verify failed")) << "optional, but not wrong";
    const auto expired = ca().issue({.common_name = "old", .valid_until_seconds = -10});
    EXPECT_EQ(shown_to(options, &expired), "refused: certificate verify failed: certificate has expired");
}

TEST(Tls, a_name_of_another_certificate_asks_for_client_certificates_all_the_same) {
    auto options = server_options();
    const auto other = ca().issue({.common_name = "other"});
    options.identities.push_back({"other.example", other.cert, other.key});
    options.ca = ca().cert();
    options.require_client_cert = true;
    const auto good = ca().issue({.common_name = "pump-1"});
    EXPECT_EQ(shown_to(options, nullptr, "other.example"), "refused: peer did not return a certificate");
    EXPECT_EQ(shown_to(options, &good, "other.example"), "name: pump-1");
    options.crl = ca().revoke({good});
    EXPECT_EQ(shown_to(options, &good, "other.example"), "refused: certificate verify failed: certificate revoked");
}

TEST(Tls, the_name_is_the_common_name_or_an_alternative_name_as_configured) {
    auto options = server_options();
    options.ca = ca().cert();
    const auto both = ca().issue({.common_name = "cn", .alternative_names = "URI:urn:x,email:a@b.example,DNS:dns.example"});
    const auto san = ca().issue({.alternative_names = "URI:urn:x,email:a@b.example"});
    const auto cn = ca().issue({.common_name = "cn"});
    EXPECT_EQ(shown_to(options, &both), "name: cn");
    EXPECT_EQ(shown_to(options, &san), "name: a@b.example");
    options.name_from_san = true;
    EXPECT_EQ(shown_to(options, &both), "name: dns.example");
    EXPECT_EQ(shown_to(options, &cn), "name: ");
    options.name_from_san = false;
    const auto nul = ca().issue({.common_name = std::string("admin\0.evil", 11)});
    EXPECT_EQ(shown_to(options, &nul), "name: ") << "a NUL must not cut a name";
}

TEST(Tls, a_revoked_certificate_is_refused_and_others_are_not) {
    auto options = server_options();
    options.ca = ca().cert();
    const auto good = ca().issue({.common_name = "good"});
    const auto bad = ca().issue({.common_name = "bad"});
    options.crl = ca().revoke({bad});
    EXPECT_EQ(shown_to(options, &good), "name: good");
    EXPECT_EQ(shown_to(options, &bad), "refused: certificate verify failed: certificate revoked");
    options.crl = ca().revoke({}, -10);
    EXPECT_EQ(shown_to(options, &good), "refused: certificate verify failed: CRL has expired");
}

TEST(Tls, a_connection_that_stands_is_known_to_be_revoked_by_a_later_list) {
    auto options = server_options();
    options.ca = ca().cert();
    options.crl = ca().revoke({});
    const auto good = ca().issue({.common_name = "good"});
    const auto bad = ca().issue({.common_name = "bad"});
    const auto certificates_of = [&](const TestCertificate* shown) {
        TlsClient client;
        if (shown != nullptr) client.use(*shown);
        Pair pair(context_of(options), client);
        EXPECT_EQ(pair.talk(), State::open);
        return pair.layer->certificates();
    };
    const auto of_good = certificates_of(&good);
    const auto of_bad = certificates_of(&bad);
    ASSERT_FALSE(of_bad.empty());
    EXPECT_TRUE(certificates_of(nullptr).empty());
    EXPECT_FALSE(context_of(options)->revokes(of_bad)) << "not yet";
    options.crl = ca().revoke({bad});
    EXPECT_TRUE(context_of(options)->revokes(of_bad));
    EXPECT_FALSE(context_of(options)->revokes(of_good));
    EXPECT_FALSE(context_of(options)->revokes({}));
    options.crl = ca().revoke({bad}, -10);
    EXPECT_TRUE(context_of(options)->revokes(of_bad)) << "an old list, too";
    EXPECT_FALSE(context_of(options)->revokes(of_good)) << "nobody is put out by an old list";
    TestCa stranger("Stranger");
    options.ca = stranger.cert();
    options.crl = stranger.revoke({bad});
    EXPECT_FALSE(context_of(options)->revokes(of_bad)) << "a list of somebody else";
    options.crl.clear();
    EXPECT_FALSE(context_of(options)->revokes(of_bad));
}

std::string problems_of(const TlsOptions& options) {
    std::vector<TlsProblem> problems;
    const auto made = TlsContext::make(options, problems);
    std::string out;
    bool errors = false;
    for (const auto& each : problems) {
        constexpr const char* kParts[] = {"cert", "key", "ca", "crl"};
        errors = errors || !each.warning;
        out += std::string(each.warning ? "warning " : "") + kParts[static_cast<int>(each.part)] + std::to_string(each.identity) + ": " +
               each.message.substr(0, each.message.find(" at ")) + "\n";
    }
    EXPECT_EQ(made == nullptr, errors);
    return out;
}

TEST(Tls, what_is_wrong_with_certificates_is_said_by_part) {
    EXPECT_EQ(problems_of(server_options()), "");
    auto options = server_options();
    options.identities[0].cert = "x";
    EXPECT_EQ(problems_of(options), "cert0: no certificate in it: expected PEM (-----BEGIN CERTIFICATE-----)\n");
    options = server_options();
    options.identities[0].key = "";
    EXPECT_EQ(problems_of(options), "key0: no key in it: expected PEM (-----BEGIN PRIVATE KEY-----)\n");
    options.identities[0].key = ca().issue({.common_name = "z"}).key;
    EXPECT_EQ(problems_of(options), "key0: the key does not belong to the certificate\n");
    options.identities[0].key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    EXPECT_EQ(problems_of(options), "key0: the key has a passphrase: store it without one, readable by this user only\n");
    options = server_options();
    options.identities[0].cert.replace(100, 5, "*****");
    EXPECT_TRUE(problems_of(options).starts_with("cert0: the certificate cannot be read: ")) << problems_of(options);
    options = server_options();
    options.ca = "x";
    EXPECT_EQ(problems_of(options), "ca0: no certificate in it: expected PEM (-----BEGIN CERTIFICATE-----)\n");
    options.ca = ca().cert();
    options.crl = ca().cert();
    EXPECT_EQ(problems_of(options), "crl0: no revocation list in it: expected PEM (-----BEGIN X509 CRL-----)\n");
    options.crl = TestCa("Other").revoke({});
    EXPECT_EQ(problems_of(options), "warning crl0: a list in it is of nobody in `ca`: it has no effect\n");
    options = server_options();
    const auto expired = ca().issue({.common_name = "old", .valid_until_seconds = -10});
    options.identities.push_back({"old.example", expired.cert, expired.key});
    EXPECT_EQ(problems_of(options), "warning cert1: the certificate expired\n");
}

}  // namespace
}  // namespace sluice::posix
