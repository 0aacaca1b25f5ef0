// Changes one user in the text of a users file and leaves every other byte as it is: comments, order, quotes.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace sluice::config {

/// The text with this hash for this user, who is added at the end if new. `text` must be free of errors.
/// Errors: unsupported (written in a way that cannot be changed in place: `{…}` around all users, a hash that is folded over lines).
[[nodiscard]] base::Result<std::string> set_password(std::string_view text, std::string_view user, std::string_view hash);

/// The text without this user. Errors: not_found, unsupported.
[[nodiscard]] base::Result<std::string> remove_user(std::string_view text, std::string_view user);

}  // namespace sluice::config
