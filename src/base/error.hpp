// One error system for the whole project: Result<T> is a value or an Error; an Error is a code from one table, an errno and a place.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace sluice::base {

/// What a caller does about an error. Callers switch on the reaction, rarely on the code.
enum class Reaction : std::uint8_t {
    retry,         ///< the same call may succeed later
    reject_input,  ///< the bytes are wrong; nothing else is affected
    degrade,       ///< go on with less, loudly
    stop,          ///< the process cannot do its work
};

enum class Errc : std::uint8_t {
    malformed,
    too_large,
    too_deep,
    unsupported,
    not_found,
    exists,
    limit,
    corrupt,
    wrong_key,
    version,
    disk_full,
    io,
    permission,
    in_use,
    closed,
    refused,
    timeout,
    denied,
    invalid,
    unavailable,
    internal,
};

/// One row of the error table. The documentation and the HTTP problem types come from here.
struct ErrorInfo {
    Errc code;
    std::string_view name;
    Reaction reaction;
    std::string_view text;  ///< a sentence for people
};

inline constexpr std::array kErrors{
    ErrorInfo{Errc::malformed, "malformed", Reaction::reject_input, "the bytes do not follow the format"},
    ErrorInfo{Errc::too_large, "too_large", Reaction::reject_input, "larger than the limit"},
    ErrorInfo{Errc::too_deep, "too_deep", Reaction::reject_input, "nested deeper than the limit"},
    ErrorInfo{Errc::unsupported, "unsupported", Reaction::reject_input, "valid, but not supported"},
    ErrorInfo{Errc::not_found, "not_found", Reaction::reject_input, "does not exist"},
    ErrorInfo{Errc::exists, "exists", Reaction::reject_input, "exists already"},
    ErrorInfo{Errc::limit, "limit", Reaction::degrade, "a configured limit is reached"},
    ErrorInfo{Errc::corrupt, "corrupt", Reaction::degrade, "stored data fails its check"},
    ErrorInfo{Errc::wrong_key, "wrong_key", Reaction::stop, "stored data was sealed with another key"},
    ErrorInfo{Errc::version, "version", Reaction::stop, "written by an unknown version of the format"},
    ErrorInfo{Errc::disk_full, "disk_full", Reaction::degrade, "no space left on the disk"},
    ErrorInfo{Errc::io, "io", Reaction::degrade, "input or output failed"},
    ErrorInfo{Errc::permission, "permission", Reaction::stop, "not permitted by the operating system"},
    ErrorInfo{Errc::in_use, "in_use", Reaction::stop, "in use by another process"},
    ErrorInfo{Errc::closed, "closed", Reaction::retry, "the other side closed the connection"},
    ErrorInfo{Errc::refused, "refused", Reaction::retry, "the other side refused"},
    ErrorInfo{Errc::timeout, "timeout", Reaction::retry, "no answer in time"},
    ErrorInfo{Errc::denied, "denied", Reaction::reject_input, "not allowed"},
    ErrorInfo{Errc::invalid, "invalid", Reaction::reject_input, "a value is out of its range"},
    ErrorInfo{Errc::unavailable, "unavailable", Reaction::retry, "not available now"},
    ErrorInfo{Errc::internal, "internal", Reaction::stop, "a defect in Sluice"},
};

[[nodiscard]] constexpr const ErrorInfo& info(Errc code) { return kErrors[static_cast<std::size_t>(code)]; }

/// The place in the code where an error was made.
struct Where {
    const char* file;
    int line;
    static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

/// 24 bytes, no allocation. Words for people are made at the edge where the context is known.
struct Error {
    Errc code;
    int os_errno = 0;
    Where where = Where::here();
    [[nodiscard]] Reaction reaction() const { return info(code).reaction; }
};

/// "disk_full: no space left on the disk (No space left on device)", for logs and messages.
[[nodiscard]] std::string describe(const Error& error);

/// The error for an errno: ENOSPC and EDQUOT are disk_full, EACCES, EPERM and EROFS permission, ENOENT not_found, …; else io.
[[nodiscard]] Error from_errno(int os_errno, Where where = Where::here());

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
public:
    using tl::expected<T, Error>::expected;
    Result(Error error) : tl::expected<T, Error>(tl::unexpect, error) {}                  // NOLINT(google-explicit-constructor)
    Result(tl::expected<T, Error>&& other) : tl::expected<T, Error>(std::move(other)) {}  // NOLINT(google-explicit-constructor)
};

using Status = Result<void>;

}  // namespace sluice::base
