#include "env/posix/candidates.hpp"

#include <cerrno>
#include <cstring>
#include <memory>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include "env/posix/tcp.hpp"

namespace sluice::posix {

void no_delay(int fd) {
    const int on = 1;
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

base::Result<Candidates> Candidates::of_host(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return base::Error{base::Errc::not_found};
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
    Candidates out;
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
        Address address;
        address.size = at->ai_addrlen;
        std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
        out.left_.insert(out.left_.begin(), address);
    }
    return out;
}

base::Result<Candidates> Candidates::of_unix(const std::string& path) {
    if (path.size() > TcpListener::kUnixPathMax) return base::Error{base::Errc::too_large};
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, path.data(), path.size());  // the end is zero already
    Address address;
    address.size = sizeof at;
    std::memcpy(&address.storage, &at, sizeof at);
    Candidates out;
    out.left_.push_back(address);
    return out;
}

base::Result<int> Candidates::start_next(PeerAddress& peer) {
    base::Error last{base::Errc::not_found};
    while (!left_.empty()) {
        const Address at = left_.back();
        left_.pop_back();
        const int fd = ::socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0) {
            no_delay(fd);
            if (::connect(fd, reinterpret_cast<const sockaddr*>(&at.storage), at.size) == 0 || errno == EINPROGRESS) {
                peer = {};
                if (at.storage.ss_family == AF_UNIX) {
                    peer.unix_socket = true;
                } else if (at.storage.ss_family == AF_INET6) {
                    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(at.storage);
                    peer.v6 = true;
                    peer.port = ntohs(v6.sin6_port);
                    std::memcpy(peer.ip.data(), &v6.sin6_addr, 16);
                } else {
                    const auto& v4 = reinterpret_cast<const sockaddr_in&>(at.storage);
                    peer.port = ntohs(v4.sin_port);
                    std::memcpy(peer.ip.data(), &v4.sin_addr, 4);
                }
                return fd;
            }
        }
        last = base::from_errno(errno);
        if (fd >= 0) ::close(fd);
    }
    return last;
}

}  // namespace sluice::posix
