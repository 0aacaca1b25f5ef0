// The TLS of one connection. Internal to this folder: see tls.hpp.
#pragma once

#include <memory>

#include "env/posix/tls.hpp"

struct ssl_st;  // SSL, so that OpenSSL stays out of headers

namespace sluice::posix {

/// Takes `ssl` over, which is set to accept or to connect. `owner` holds what its callbacks use. nullptr: no memory.
std::unique_ptr<StreamLayer> make_tls_layer(ssl_st* ssl, std::shared_ptr<const void> owner, bool name_from_san);

}  // namespace sluice::posix
