// The TLS of one connection. Internal to this folder: see tls.hpp.
#pragma once

#include <memory>

#include "env/posix/tls.hpp"

struct ssl_ctx_st;  // SSL_CTX, so that OpenSSL stays out of headers

namespace sluice::posix {

/// `owner` holds `context` and what its callbacks use. nullptr: no memory.
std::unique_ptr<StreamLayer> make_tls_layer(ssl_ctx_st* context, std::shared_ptr<const TlsContext> owner, bool name_from_san);

}  // namespace sluice::posix
