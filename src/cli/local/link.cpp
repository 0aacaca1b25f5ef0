#include "cli/local/link.hpp"

#include <unistd.h>

namespace sluice::local {

Link::Link(posix::EventLoop& loop, std::uint16_t to_port) : connections_(loop, *this), to_port_(to_port) { loop.add_task(connections_); }

Link::~Link() = default;

base::Result<std::unique_ptr<Link>> Link::open(posix::EventLoop& loop, std::uint16_t to_port) {
    std::unique_ptr<Link> link(new Link(loop, to_port));
    auto listener = posix::TcpListener::open(loop, *link, "127.0.0.1", 0);
    if (!listener) return listener.error();
    link->listener_ = std::move(*listener);
    return link;
}

void Link::cut() {
    up_ = false;
    ++counters_.cuts;
    for (const auto& [id, other] : other_end_) connections_.abort(id);
    counters_.broken += other_end_.size() / 2;
}

void Link::on_accept(posix::DetachedConnection&& connection) {
    if (!up_) {
        ++counters_.refused;
        ::close(connection.fd);
        return;
    }
    ++counters_.connections;
    connections_.adopt(std::move(connection));
}

void Link::on_open(posix::TcpId id, const posix::PeerAddress&) {
    if (other_end_.contains(id)) return;  // our own connection towards the target stands now
    const auto onward = connections_.connect("127.0.0.1", to_port_);
    if (!onward) return connections_.abort(id);
    other_end_[id] = *onward;
    other_end_[*onward] = id;
}

std::size_t Link::on_bytes(posix::TcpId id, base::ByteView bytes) {
    const auto other = other_end_.find(id);
    if (other != other_end_.end()) connections_.send(other->second, bytes);
    counters_.bytes += bytes.size();
    return bytes.size();
}

void Link::on_closed(posix::TcpId id, const base::Error&) {
    const auto found = other_end_.find(id);
    if (found == other_end_.end()) return;
    const posix::TcpId other = found->second;
    other_end_.erase(found);
    other_end_.erase(other);
    connections_.close(other);
}

}  // namespace sluice::local
