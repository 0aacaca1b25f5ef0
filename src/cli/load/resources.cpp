#include "cli/load/resources.hpp"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

namespace sluice::load {
namespace {

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
    const std::string folder = "/proc/" + std::to_string(process);
    std::ifstream stat_file(folder + "/stat");
    std::string stat;
    if (!std::getline(stat_file, stat)) return base::Error{base::Errc::not_found};
    // The name in field 2 may hold spaces and brackets: fields are counted from the last ')'. utime and stime are 14 and 15 (proc(5)).
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string skipped;
    for (int field = 3; field < 14; ++field) fields >> skipped;
    std::uint64_t user = 0, system = 0;
    fields >> user >> system;
    ProcessUse use;
    const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    use.cpu = std::chrono::nanoseconds((user + system) * 1'000'000'000U / ticks_per_second);

    std::ifstream status_file(folder + "/status");
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
