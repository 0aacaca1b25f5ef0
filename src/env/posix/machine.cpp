#include "env/posix/machine.hpp"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>

#include <malloc.h>
#include <unistd.h>

namespace sluice::posix {
namespace {

/// The first number of a file; 0: no such file, or "max".
std::uint64_t number_in(const std::string& path) {
    std::ifstream file(path);
    std::uint64_t number = 0;
    return file >> number ? number : 0;
}

std::uint64_t least(std::uint64_t a, std::uint64_t b) { return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b); }

/// A group cannot have more than those it is in. Inside a container its own is the root.
std::uint64_t group_memory() {
    constexpr std::string_view kOwn = "0::";
    std::ifstream groups("/proc/self/cgroup");
    std::uint64_t memory = 0;
    for (std::string line; std::getline(groups, line);) {
        if (!line.starts_with(kOwn)) continue;
        std::string group = line.substr(kOwn.size());
        for (;;) {
            memory = least(memory, number_in("/sys/fs/cgroup" + group + "/memory.max"));
            const auto parent = group.rfind('/');
            if (parent == std::string::npos) break;
            group.resize(parent);
        }
    }
    return memory;
}

}  // namespace

void return_large_blocks() { ::mallopt(M_MMAP_THRESHOLD, 128 * 1024); }

std::uint64_t machine_memory() {
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long page = ::sysconf(_SC_PAGESIZE);
    const std::uint64_t whole = pages > 0 && page > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page) : 0;
    return least(whole, group_memory());
}

}  // namespace sluice::posix
