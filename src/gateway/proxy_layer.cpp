#include "gateway/proxy_layer.hpp"

#include "codec/proxy/header.hpp"

namespace sluice::gateway {
namespace {

posix::PeerAddress client_of(const proxy::Header& header, const posix::PeerAddress& socket) {
    if (header.local) return socket;  // a health check of the proxy itself
    posix::PeerAddress out;
    out.ip = header.ip;
    out.port = header.port;
    out.v6 = header.family == proxy::Family::v6;
    out.unix_socket = header.family == proxy::Family::unix_socket;
    // "127.0.0.1" in the words of another machine is not this one.
    out.hearsay = !socket.loopback() || header.family == proxy::Family::unspecified;
    return out;
}

}  // namespace

ProxyLayer::State ProxyLayer::receive(base::ByteView in, base::Bytes& up, base::Bytes&) {
    // Headers come in one piece, nearly always: then nothing is copied.
    if (!kept_.empty()) base::append(kept_, in);
    const base::ByteView all = kept_.empty() ? in : base::ByteView(kept_);
    const proxy::Parsed parsed = proxy::parse(all);
    switch (parsed.status) {
        case proxy::ParseStatus::incomplete:
            if (kept_.empty()) base::append(kept_, in);
            return State::opening;
        case proxy::ParseStatus::malformed:
            failure_ = parsed.problem;
            return State::failed;
        case proxy::ParseStatus::complete:
            break;
    }
    peer_ = client_of(parsed.header, peer_);
    base::append(up, all.subspan(parsed.size));
    kept_ = base::Bytes();
    return State::passed;
}

}  // namespace sluice::gateway
