// The addresses under which a peer may be reached, tried in turn: "localhost" is often ::1 first, where a listener on 127.0.0.1 is not.
// Internal to this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/socket.h>

#include "base/error.hpp"
#include "env/posix/peer_address.hpp"

namespace sluice::posix {

/// Small messages leave at once. Only latency suffers where it is refused (a Unix socket, say).
void no_delay(int fd);

class Candidates {
public:
    /// Looks a name up, which may block. Errors: not_found.
    static base::Result<Candidates> of_host(const std::string& host, std::uint16_t port);
    /// Errors: too_large (path).
    static base::Result<Candidates> of_unix(const std::string& path);

    /// Starts the next connection that can be started: its descriptor, and where it goes. Errors: that of the last try.
    base::Result<int> start_next(PeerAddress& peer);
    [[nodiscard]] bool empty() const { return left_.empty(); }

private:
    struct Address {
        sockaddr_storage storage{};
        socklen_t size = 0;
    };
    std::vector<Address> left_;  // the next one is at the back
};

}  // namespace sluice::posix
