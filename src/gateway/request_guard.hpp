// Who may change something over HTTP.
#pragma once

#include "env/posix/http_server.hpp"

namespace sluice::gateway {

/// A page of any site can make its reader's browser ask us, and can give its own name our address. What changes something is done for
/// programs and for our own page only: where a browser tells an origin it is the host that was asked, and that is an address or localhost.
[[nodiscard]] bool is_ours(const posix::HttpRequest& request);

}  // namespace sluice::gateway
