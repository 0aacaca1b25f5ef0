#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace sluice::base {

void check_failed(std::string_view what, Where where) {
    std::fprintf(stderr, "sluice: defect: %.*s (%s:%d)\n", static_cast<int>(what.size()), what.data(), where.file, where.line);
    std::abort();
}

}  // namespace sluice::base
