// The floor: a bare epoll loop that frames MQTT packets and answers CONNECT, SUBSCRIBE, PINGREQ and PUBLISH of QoS 1, with one write for
// each answer. No rules, no sessions, no matching, no batching, no naps; what any broker spends beyond this, it spends on its own work.
//
// usage: null_sink PORT [FORWARD]
//   FORWARD: every so manieth PUBLISH is passed on, its payload as it is, under `alerts/floor` to the last that subscribed to anything: the
//   floor of the way from a reading to its alert. 0 or absent: none.
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr int kEventsPerTurn = 1024;
constexpr int kBacklog = 4096;
constexpr std::size_t kPacketBytesMax = kReadBytes / 2;  // larger ones are not of this benchmark
constexpr std::string_view kAlertTopic = "alerts/floor";

/// What a packet type's first byte has in its upper half.
enum Type : unsigned { kConnect = 1, kPublish = 3, kSubscribe = 8, kPingreq = 12, kDisconnect = 14 };

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

class Sink {
public:
    Sink(std::uint16_t port, std::uint64_t forward_every) : forward_every_(forward_every), buffer_(kReadBytes) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const int on = 1;
        ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::bind(listener_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) die("null_sink: bind");
        if (::listen(listener_, kBacklog) != 0) die("null_sink: listen");
        watch(listener_);
    }

    void run() {
        std::array<epoll_event, kEventsPerTurn> events;
        while (true) {
            const int count = ::epoll_wait(epoll_, events.data(), kEventsPerTurn, -1);
            if (count < 0 && errno != EINTR) die("null_sink: epoll_wait");
            for (int i = 0; i < count; ++i) {
                const int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (fd == listener_) {
                    accept_all();
                } else if (!read_from(fd)) {
                    close(fd);
                }
            }
        }
    }

private:
    void watch(int fd) const {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("null_sink: epoll_ctl");
    }

    void accept_all() {
        while (true) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) return;
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            if (rests_.size() <= static_cast<std::size_t>(fd)) rests_.resize(static_cast<std::size_t>(fd) * 2);
            watch(fd);
        }
    }

    void close(int fd) {
        rests_[static_cast<std::size_t>(fd)].clear();
        if (fd == subscriber_) subscriber_ = -1;
        ::close(fd);
    }

    /// One read; false: the connection is over.
    bool read_from(int fd) {
        std::string& rest = rests_[static_cast<std::size_t>(fd)];
        std::memcpy(buffer_.data(), rest.data(), rest.size());
        const ssize_t count = ::recv(fd, buffer_.data() + rest.size(), buffer_.size() - rest.size(), 0);
        if (count < 0) return errno == EAGAIN || errno == EINTR;
        if (count == 0) return false;
        const std::size_t size = rest.size() + static_cast<std::size_t>(count);
        std::size_t at = 0;
        while (size - at >= 2) {
            // Remaining length (MQTT 3.1.1, 2.2.3): seven bits a byte, the lowest first.
            std::size_t length = 0;
            std::size_t body = at + 1;
            for (unsigned shift = 0;; shift += 7) {
                if (shift > 21) return false;
                if (body == size) return keep(rest, at, size);
                const unsigned char byte = buffer_[body++];
                length |= static_cast<std::size_t>(byte & 0x7fU) << shift;
                if ((byte & 0x80U) == 0) break;
            }
            if (length > kPacketBytesMax) return false;
            if (size - body < length) break;
            if (!answer(fd, buffer_[at], buffer_.data() + body, length)) return false;
            at = body + length;
        }
        return keep(rest, at, size);
    }

    bool keep(std::string& rest, std::size_t at, std::size_t size) const {
        rest.assign(reinterpret_cast<const char*>(buffer_.data()) + at, size - at);
        return true;
    }

    bool answer(int fd, unsigned char head, const unsigned char* body, std::size_t length) {
        switch (head >> 4) {
            case kPublish: {
                const bool acknowledge = (head & 6U) != 0;
                if (length < 2) return false;
                const std::size_t topic = static_cast<std::size_t>(body[0]) << 8 | body[1];
                const std::size_t header = 2 + topic + (acknowledge ? 2 : 0);
                if (length < header) return false;
                if (forward_every_ != 0 && ++published_ % forward_every_ == 0) forward(body + header, length - header);
                return !acknowledge || send(fd, {0x40, 2, body[header - 2], body[header - 1]});
            }
            case kConnect:
                return send(fd, {0x20, 2, 0, 0});
            case kSubscribe:
                if (length < 2) return false;
                subscriber_ = fd;
                return send(fd, {0x90, 3, body[0], body[1], 0});
            case kPingreq:
                return send(fd, {0xd0, 0});
            default:
                return head >> 4 != kDisconnect;  // PUBACK and the like: read and forgotten
        }
    }

    /// An answer that the socket does not take at once ends the connection: nobody here reads that slowly.
    template <std::size_t kSize>
    static bool send(int fd, const unsigned char (&bytes)[kSize]) {
        return ::send(fd, bytes, kSize, MSG_NOSIGNAL) == static_cast<ssize_t>(kSize);
    }

    void forward(const unsigned char* payload, std::size_t size) {
        if (subscriber_ < 0) return;
        std::string out(1, '\x30');
        for (std::size_t left = 2 + kAlertTopic.size() + size;;) {
            const auto low = static_cast<char>(left & 0x7fU);
            left >>= 7;
            out += left == 0 ? low : static_cast<char>(low | '\x80');
            if (left == 0) break;
        }
        out += '\0';
        out += static_cast<char>(kAlertTopic.size());
        out += kAlertTopic;
        out.append(reinterpret_cast<const char*>(payload), size);
        (void)!::send(subscriber_, out.data(), out.size(), MSG_NOSIGNAL);  // a subscriber that is gone is noticed by its next read
    }

    int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    int listener_ = -1;
    int subscriber_ = -1;
    std::uint64_t forward_every_;
    std::uint64_t published_ = 0;
    std::vector<unsigned char> buffer_;
    std::vector<std::string> rests_ = std::vector<std::string>(64);  // by descriptor: the beginning of a packet
};

}  // namespace

int main(int count, char** arguments) {
    if (count < 2 || count > 3) {
        std::fputs("usage: null_sink PORT [FORWARD]\n", stderr);
        return 2;
    }
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        if (::setrlimit(RLIMIT_NOFILE, &files) != 0) die("null_sink: RLIMIT_NOFILE");
    }
    const auto port = static_cast<std::uint16_t>(std::strtoul(arguments[1], nullptr, 10));
    Sink(port, count == 3 ? std::strtoull(arguments[2], nullptr, 10) : 0).run();
}
