// Requests of HTTP/1.1 (RFC 9112).
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace sluice::http {

/// A value of a header as it may be sent: control characters become `_` (they would end the line).
void append_header(base::Bytes& out, std::string_view name, std::string_view value);

/// `target`: a path with a query, percent-encoded. The headers end with end_head().
void begin_request(base::Bytes& out, std::string_view method, std::string_view target, std::string_view host);
void end_head(base::Bytes& out);

/// Userid and password as `Authorization` wants them: "Basic …" (RFC 7617).
[[nodiscard]] std::string basic_credentials(std::string_view user, std::string_view password);

}  // namespace sluice::http
