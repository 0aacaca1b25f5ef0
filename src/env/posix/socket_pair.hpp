// Two ends of one connection inside this process: who has one end needs no address, and nobody else can have it.
#pragma once

#include <utility>

#include "base/error.hpp"
#include "env/posix/tcp.hpp"

namespace sluice::posix {

/// For TcpConnections::adopt(), each in its loop. Errors: limit (no descriptors left), io.
base::Result<std::pair<DetachedConnection, DetachedConnection>> make_socket_pair();
/// Closes an end that is not to be adopted after all.
void discard(DetachedConnection&& connection);

}  // namespace sluice::posix
