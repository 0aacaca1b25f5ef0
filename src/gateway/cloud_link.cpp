#include "gateway/cloud_link.hpp"

#include <utility>

#include "env/posix/layer_stack.hpp"

namespace sluice::gateway {

CloudLink::CloudLink(Options options, const MakeCarrier& make_carrier, posix::EventLoop& loop)
    : options_(std::move(options)), loop_(loop), tcp_(loop, *this), resolver_(loop), carrier_(make_carrier(*this)) {}

void CloudLink::open() {
    connection_ = 0;
    failure_.clear();
    attempt_until_ = loop_.now() + options_.connect_timeout;
    resolver_.start(options_.host);
}

void CloudLink::on_turn(base::Monotonic now) {
    if (auto found = resolver_.take()) {
        if (found->has_value())
            addresses_.begin(std::move(**found), attempt_until_);
        else
            failure_ = "the name cannot be looked up";
        if (!connect_next()) carrier_->on_closed(now);
    }
    if (const auto due = addresses_.due(); due && now >= *due) {  // an address that does not answer has had its time
        if (const auto id = std::exchange(connection_, 0); id != 0) tcp_.abort(id);
        if (!connect_next()) carrier_->on_closed(now);
    }
}

std::optional<base::Monotonic> CloudLink::next_deadline() const { return resolver_.ready() ? loop_.now() : addresses_.due(); }

/// A name often has several addresses, and not all of them answer: `localhost` is ::1 first, where a cloud on 127.0.0.1 is not.
bool CloudLink::connect_next() {
    while (const auto address = addresses_.next(loop_.now())) {
        std::unique_ptr<posix::LayerStack> layers;
        if (options_.tls != nullptr) {
            auto layer = options_.tls->connect();
            if (layer == nullptr) return false;
            layers = std::make_unique<posix::LayerStack>(std::move(layer));
        }
        if (const auto id = tcp_.connect(*address, options_.port, std::move(layers))) {
            connection_ = *id;
            return true;
        }
    }
    return false;
}

void CloudLink::close(bool flush) {
    resolver_.cancel();
    addresses_.end();
    if (connection_ == 0) return;
    flush ? tcp_.close(connection_) : tcp_.abort(connection_);
    if (!saying_goodbye_) connection_ = 0;
}

/// Through TLS it is the cloud only when it has shown its certificate.
void CloudLink::on_open(posix::TcpId id, const posix::PeerAddress&) {
    if (id == connection_ && options_.tls == nullptr) connected();
}

void CloudLink::connected() {
    addresses_.end();
    carrier_->on_connected(loop_.now());
}

std::size_t CloudLink::on_bytes(posix::TcpId id, base::ByteView bytes) {
    if (id != connection_ || saying_goodbye_) return bytes.size();
    news_ = true;
    return carrier_->on_bytes(bytes, loop_.now());
}

void CloudLink::on_layer(posix::TcpId id, const posix::StreamLayer&, std::string_view failure) {
    if (id != connection_) return;
    if (failure.empty())
        connected();
    else
        failure_ = "TLS: " + std::string(failure);
}

void CloudLink::on_closed(posix::TcpId id, const base::Error& why) {
    if (id != connection_) return;
    connection_ = 0;
    news_ = true;
    if (saying_goodbye_ || connect_next()) return;
    if (failure_.empty() && why.code != base::Errc::closed) failure_ = base::describe(why);
    carrier_->on_closed(loop_.now());
}

}  // namespace sluice::gateway
