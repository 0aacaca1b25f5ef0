#include "env/posix/tls_layer.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "env/posix/certificate_name.hpp"
#include "env/posix/tls_material.hpp"

namespace sluice::posix {
namespace {

constexpr std::size_t kRecordBytes = 16 * 1024;  // RFC 8446 §5.1: a record holds at most so much

/// What OpenSSL reads from and writes to during one call: no copy stays in a buffer of its own, as a memory BIO's would.
struct Ends {
    base::ByteView in;
    base::Bytes* down = nullptr;
};

int read_end(BIO* bio, char* out, int size) {
    auto* ends = static_cast<Ends*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (ends->in.empty()) {
        BIO_set_retry_read(bio);
        return -1;
    }
    const std::size_t count = std::min(static_cast<std::size_t>(size), ends->in.size());
    std::memcpy(out, ends->in.data(), count);
    ends->in = ends->in.subspan(count);
    return static_cast<int>(count);
}

int write_end(BIO* bio, const char* from, int size) {
    auto* ends = static_cast<Ends*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    base::append(*ends->down, base::as_bytes({from, static_cast<std::size_t>(size)}));
    return size;
}

long control_end(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* ends_method() {
    static const std::unique_ptr<BIO_METHOD, void (*)(BIO_METHOD*)> method = [] {
        std::unique_ptr<BIO_METHOD, void (*)(BIO_METHOD*)> made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice"),
                                                                BIO_meth_free);
        if (made != nullptr) {
            BIO_meth_set_read(made.get(), read_end);
            BIO_meth_set_write(made.get(), write_end);
            BIO_meth_set_ctrl(made.get(), control_end);
        }
        return made;
    }();
    return method.get();
}

using SslPointer = tls::Owned<SSL>;

/// The oldest error of this thread's queue says what happened first; the others what that led to.
std::string reason_of_failure(const SSL* ssl) {
    const unsigned long code = ERR_peek_error();
    const char* text = ERR_reason_error_string(code);
    std::string out = text != nullptr ? text : "the connection broke off";
    if (const long verdict = SSL_get_verify_result(ssl); verdict != X509_V_OK) {
        out += std::string(": ") + X509_verify_cert_error_string(verdict);
    }
    ERR_clear_error();
    return out;
}

class TlsLayer final : public StreamLayer {
public:
    TlsLayer(SslPointer ssl, std::shared_ptr<const void> owner, bool name_from_san)
        : owner_(std::move(owner)), ssl_(std::move(ssl)), name_from_san_(name_from_san) {}

    ~TlsLayer() override {
        // OpenSSL throws away the session of a connection that ends without a goodbye; a network that breaks is no reason for that.
        if (open_) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    TlsLayer(const TlsLayer&) = delete;
    TlsLayer& operator=(const TlsLayer&) = delete;

    /// False: no memory.
    bool attach() {
        BIO* bio = ends_method() == nullptr ? nullptr : BIO_new(ends_method());
        if (bio == nullptr) return false;
        BIO_set_data(bio, &ends_);
        BIO_set_init(bio, 1);
        SSL_set_bio(ssl_.get(), bio, bio);  // owns it now
        return true;
    }

    [[nodiscard]] Kind kind() const override { return Kind::tls; }

    void begin(base::Bytes& down) override {
        if (SSL_is_server(ssl_.get()) == 1) return;  // the client speaks first
        ends_ = {{}, &down};
        ERR_clear_error();
        const int done = SSL_do_handshake(ssl_.get());
        if (done != 1 && SSL_get_error(ssl_.get(), done) != SSL_ERROR_WANT_READ) fail();
        ends_ = {};
    }

    State receive(base::ByteView in, base::Bytes& up, base::Bytes& down) override {
        ends_ = {in, &down};
        const State state = take(up);
        ends_ = {};
        return state;
    }

    void send(base::ByteView plain, base::Bytes& down) override {
        ends_ = {{}, &down};
        ERR_clear_error();
        std::size_t written = 0;
        // The end takes everything, so this ends in one call; what could fail is memory.
        if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1) failure_ = reason_of_failure(ssl_.get());
        ends_ = {};
    }

    void finish(base::Bytes& down) override {
        if (!open_) return;
        ends_ = {{}, &down};
        ERR_clear_error();
        (void)SSL_shutdown(ssl_.get());  // close_notify; whether the peer answers makes no difference any more
        ends_ = {};
    }

    [[nodiscard]] std::string_view failure() const override { return failure_; }
    [[nodiscard]] std::string_view certificate_name() const override { return name_; }
    [[nodiscard]] std::vector<base::Bytes> certificates() const override {
        std::vector<base::Bytes> out;
        const X509* own = open_ ? SSL_get0_peer_certificate(ssl_.get()) : nullptr;
        if (own == nullptr || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return out;
        const auto add = [&out](const X509* certificate) {
            unsigned char* der = nullptr;
            const int size = i2d_X509(certificate, &der);
            if (size <= 0) return;
            out.emplace_back(der, der + size);
            OPENSSL_free(der);
        };
        add(own);
        const STACK_OF(X509)* beside = SSL_get_peer_cert_chain(ssl_.get());
        for (int i = 0; i < sk_X509_num(beside); ++i) add(sk_X509_value(beside, i));
        return out;
    }
    /// OpenSSL's objects of an idle connection; its record buffers are given back between records.
    [[nodiscard]] std::size_t memory() const override { return 16 * 1024; }
    [[nodiscard]] bool resumed() const override { return open_ && SSL_session_reused(ssl_.get()) == 1; }

private:
    State take(base::Bytes& up) {
        ERR_clear_error();
        if (!failure_.empty()) return State::failed;
        if (!open_) {
            const int done = SSL_do_handshake(ssl_.get());
            if (done != 1) return SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_READ ? State::opening : fail();
            open_ = true;
            const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
            if (certificate != nullptr && SSL_get_verify_result(ssl_.get()) == X509_V_OK) {
                name_ = posix::certificate_name(certificate, name_from_san_);
            }
        }
        static thread_local std::array<base::Byte, kRecordBytes> record;
        while (!ends_.in.empty() || SSL_pending(ssl_.get()) > 0) {
            std::size_t count = 0;
            const int done = SSL_read_ex(ssl_.get(), record.data(), record.size(), &count);
            if (done == 1) {
                base::append(up, base::ByteView(record.data(), count));
                continue;
            }
            switch (SSL_get_error(ssl_.get(), done)) {
                case SSL_ERROR_WANT_READ:
                    return State::open;
                case SSL_ERROR_ZERO_RETURN:
                    return State::ended;
                default:
                    return fail();
            }
        }
        return State::open;
    }

    State fail() {
        failure_ = reason_of_failure(ssl_.get());
        open_ = false;  // after a fatal error nothing may be called, not even SSL_shutdown
        return State::failed;
    }

    std::shared_ptr<const void> owner_;  // what the handshake's callbacks use; outlives ssl_
    Ends ends_;
    SslPointer ssl_;
    std::string name_;
    std::string failure_;
    bool name_from_san_;
    bool open_ = false;
};

}  // namespace

std::unique_ptr<StreamLayer> make_tls_layer(ssl_st* ssl, std::shared_ptr<const void> owner, bool name_from_san) {
    auto layer = std::make_unique<TlsLayer>(SslPointer(ssl), std::move(owner), name_from_san);
    if (!layer->attach()) return nullptr;
    return layer;
}

}  // namespace sluice::posix
