#include "env/posix/socket_pair.hpp"

#include <cerrno>

#include <sys/socket.h>
#include <unistd.h>

namespace sluice::posix {

base::Result<std::pair<DetachedConnection, DetachedConnection>> make_socket_pair() {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return base::from_errno(errno);
    return std::pair(DetachedConnection{.fd = ends[0], .peer = {}, .unread = {}},
                     DetachedConnection{.fd = ends[1], .peer = {}, .unread = {}});
}

void discard(DetachedConnection&& connection) {
    if (connection.fd >= 0) ::close(connection.fd);
    connection.fd = -1;
}

}  // namespace sluice::posix
