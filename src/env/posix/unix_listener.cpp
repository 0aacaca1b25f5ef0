// TcpListener on a Unix socket.
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "env/posix/tcp.hpp"

namespace sluice::posix {
namespace {

/// Closes at the end unless it was released.
class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

sockaddr_un address_of(const std::string& path) {
    sockaddr_un out{};
    out.sun_family = AF_UNIX;
    std::memcpy(out.sun_path, path.data(), path.size());  // the end is zero already
    return out;
}

/// Takes away what a killed process left: a socket file on which nobody listens.
base::Status remove_stale(const sockaddr_un& address) {
    struct stat there {};
    if (::lstat(address.sun_path, &there) != 0) return errno == ENOENT ? base::Status{} : base::from_errno(errno);
    if (!S_ISSOCK(there.st_mode)) return base::Error{base::Errc::exists};
    const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (probe.get() < 0) return base::from_errno(errno);
    if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN) {
        return base::Error{base::Errc::in_use};
    }
    if (errno != ECONNREFUSED) return base::from_errno(errno);
    return ::unlink(address.sun_path) == 0 ? base::Status{} : base::from_errno(errno);
}

}  // namespace

base::Result<std::unique_ptr<TcpListener>> TcpListener::open_unix(EventLoop& loop, Sink& sink, const std::string& path, unsigned mode) {
    if (path.size() > kUnixPathMax) return base::Error{base::Errc::too_large};
    const sockaddr_un address = address_of(path);
    if (auto removed = remove_stale(address); !removed) return removed.error();
    Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd.get() < 0) return base::from_errno(errno);
    // Linux gives the file the mode of the unbound socket, less the umask: so it is never open to more than it should be; chmod undoes
    // the umask's part.
    if (::fchmod(fd.get(), mode) != 0) return base::from_errno(errno);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return base::from_errno(errno);
    struct stat made {};
    if (::chmod(path.c_str(), mode) != 0 || ::stat(path.c_str(), &made) != 0 || ::listen(fd.get(), 4096) != 0) {
        const auto error = base::from_errno(errno);
        ::unlink(path.c_str());
        return error;
    }
    std::unique_ptr<TcpListener> out(new TcpListener(loop, sink, fd.release(), 0));
    out->socket_file_ = path;
    out->socket_inode_ = made.st_ino;
    out->begin();
    return out;
}

}  // namespace sluice::posix
