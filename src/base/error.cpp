#include "base/error.hpp"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace sluice::base {

std::string describe(const Error& error) {
    const ErrorInfo& row = info(error.code);
    if (error.os_errno == 0) return fmt::format("{}: {}", row.name, row.text);
    return fmt::format("{}: {} ({})", row.name, row.text, std::strerror(error.os_errno));
}

Error from_errno(int os_errno, Where where) {
    switch (os_errno) {
        case ENOSPC:
        case EDQUOT:
            return {Errc::disk_full, os_errno, where};
        case EACCES:
        case EPERM:
        case EROFS:
            return {Errc::permission, os_errno, where};
        case ENOENT:
            return {Errc::not_found, os_errno, where};
        case EEXIST:
            return {Errc::exists, os_errno, where};
        case EADDRINUSE:
        case EBUSY:
            return {Errc::in_use, os_errno, where};
        case ECONNREFUSED:
            return {Errc::refused, os_errno, where};
        case ETIMEDOUT:
            return {Errc::timeout, os_errno, where};
        case ECONNRESET:
        case EPIPE:
            return {Errc::closed, os_errno, where};
        default:
            return {Errc::io, os_errno, where};
    }
}

}  // namespace sluice::base
