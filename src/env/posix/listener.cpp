// TcpListener and PeerAddress.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env/posix/tcp.hpp"

namespace sluice::posix {
namespace {

constexpr int kAcceptsPerTurn = 256;  // a flood of connections must not keep the loop from those that stand

PeerAddress address_of(const sockaddr_storage& from) {
    PeerAddress out;
    if (from.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
        out.v6 = true;
        out.port = ntohs(v6.sin6_port);
        std::memcpy(out.ip.data(), &v6.sin6_addr, 16);
    } else if (from.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
        out.port = ntohs(v4.sin_port);
        std::memcpy(out.ip.data(), &v4.sin_addr, 4);
    } else if (from.ss_family == AF_UNIX) {
        out.unix_socket = true;
    }
    return out;
}

/// Without a free descriptor a pending connection could not even be refused: one is kept back for that.
int open_reserve() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

bool PeerAddress::loopback() const {
    if (hearsay) return false;
    if (unix_socket) return true;
    if (!v6) return ip[0] == 127;
    in6_addr address;
    std::memcpy(&address, ip.data(), sizeof address);
    return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && ip[12] == 127);
}

std::string PeerAddress::text() const {
    if (unix_socket) return "unix socket";
    char buffer[INET6_ADDRSTRLEN] = {};
    if (::inet_ntop(v6 ? AF_INET6 : AF_INET, ip.data(), buffer, sizeof buffer) == nullptr) return "unknown";
    return v6 ? "[" + std::string(buffer) + "]:" + std::to_string(port) : std::string(buffer) + ":" + std::to_string(port);
}

base::Result<std::unique_ptr<TcpListener>> TcpListener::open(EventLoop& loop, Sink& sink, const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return base::Error{base::Errc::not_found};
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
    const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return base::from_errno(errno);
    const int on = 1;
    (void)::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // only a quick restart needs it
    if (::bind(fd, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd, 4096) != 0) {
        const auto error = base::from_errno(errno);
        ::close(fd);
        return error;
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    (void)::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);  // cannot fail for a bound socket
    std::unique_ptr<TcpListener> out(new TcpListener(loop, sink, fd, address_of(bound).port));
    out->begin();
    return out;
}

void TcpListener::begin() {
    reserve_ = open_reserve();
    loop_.watch(fd_, EPOLLIN, *this, 0);
}

void TcpListener::pause(bool pause) {
    if (std::exchange(paused_, pause) != pause) loop_.rewatch(fd_, pause ? 0U : EPOLLIN, *this, 0);
}

TcpListener::~TcpListener() {
    loop_.unwatch(fd_);
    ::close(fd_);
    if (reserve_ >= 0) ::close(reserve_);
    struct stat now {};
    // Another program may have put its own in the place of ours.
    if (!socket_file_.empty() && ::stat(socket_file_.c_str(), &now) == 0 && now.st_ino == socket_inode_) ::unlink(socket_file_.c_str());
}

void TcpListener::on_ready(std::uint32_t, std::uint64_t) {
    for (int i = 0; i < kAcceptsPerTurn && !paused_; ++i) {
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        const int fd = ::accept4(fd_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            DetachedConnection connection;
            connection.fd = fd;
            connection.peer = address_of(from);
            sink_.on_accept(std::move(connection));
            continue;
        }
        if (errno == EMFILE || errno == ENFILE) {
            if (reserve_ < 0) reserve_ = open_reserve();  // another thread was faster the last time
            if (reserve_ < 0) return;
            ::close(reserve_);
            const int refused = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
            if (refused >= 0) ::close(refused);
            reserve_ = open_reserve();
            sink_.on_refused();
            continue;
        }
        if (errno == ECONNABORTED || errno == EINTR) continue;
        return;
    }
}

}  // namespace sluice::posix
