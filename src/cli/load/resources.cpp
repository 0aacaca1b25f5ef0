#include "cli/load/resources.hpp"

#include <cerrno>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

namespace sluice::load {
namespace {

constexpr pid_t kProcessMax = 1 << 22;   // of Linux; a clock's name has no room for more
constexpr std::uint64_t kOwnFiles = 64;  // standard streams, epoll, wake-up, data files, listeners

}  // namespace

std::uint64_t open_files_max() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    return limit.rlim_max;
}

base::Status allow_connections(std::uint32_t connections) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return base::from_errno(errno);
    const rlim_t wanted = connections + kOwnFiles;
    if (limit.rlim_cur >= wanted) return {};
    if (limit.rlim_max < wanted) return base::Error{base::Errc::limit};
    limit.rlim_cur = wanted;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return base::from_errno(errno);
    return {};
}

base::Result<ProcessUse> process_use(pid_t process) {
    // The process's CPU clock, not /proc/PID/stat: that counts in steps of 10 ms, in which a short run can cost nothing.
    clockid_t clock{};
    if (process < 0 || process > kProcessMax || ::clock_getcpuclockid(process, &clock) != 0) return base::Error{base::Errc::not_found};
    timespec spent{};
    if (::clock_gettime(clock, &spent) != 0) return base::Error{base::Errc::not_found};
    ProcessUse use;
    use.cpu = std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);

    std::ifstream status_file("/proc/" + std::to_string(process) + "/status");
    for (std::string line; std::getline(status_file, line);) {
        std::istringstream words(line);
        std::string key;
        std::uint64_t value = 0;
        words >> key >> value;
        if (key == "VmHWM:") use.memory_peak = value * 1024;
        if (key == "VmRSS:") use.memory = value * 1024;
        if (key == "Threads:") use.threads = static_cast<std::uint32_t>(value);
    }
    return use;
}

ProcessUse process_use(std::span<const pid_t> processes) {
    ProcessUse sum;
    for (const pid_t process : processes) {
        const auto use = process_use(process);
        if (!use) continue;
        sum.cpu += use->cpu;
        sum.memory_peak += use->memory_peak;
        sum.memory += use->memory;
        sum.threads += use->threads;
    }
    return sum;
}

}  // namespace sluice::load
