#include "env/posix/process_memory.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace sluice::posix {
namespace {

/// The second number of /proc/self/statm: pages in memory.
std::uint64_t resident_pages() {
    const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char text[128];
    const auto size = ::read(fd, text, sizeof text);
    ::close(fd);
    if (size <= 0) return 0;
    const char* begin = text;
    const char* end = begin + size;
    const char* at = std::find(begin, end, ' ');
    std::uint64_t pages = 0;
    if (at == end || std::from_chars(at + 1, end, pages).ec != std::errc{}) return 0;
    return pages;
}

}  // namespace

ProcessMemory process_memory() {
    ProcessMemory out;
    out.resident = resident_pages() * static_cast<std::uint64_t>(std::max(::sysconf(_SC_PAGESIZE), 0L));
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0) out.peak = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
    // The kernel brings its maximum up to date only now and then.
    out.peak = std::max(out.peak, out.resident);
    return out;
}

}  // namespace sluice::posix
