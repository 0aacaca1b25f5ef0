// docs/configuration.md, made from the key tables.
#pragma once

#include <string>

namespace sluice::config {

[[nodiscard]] std::string reference_page();

}  // namespace sluice::config
