#include "cli/descriptor_limit.hpp"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include "gateway/descriptors.hpp"

namespace sluice::cli {

void raise_descriptor_limit(std::uint32_t connections) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    // A lower limit still works; the warning below says how far.
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
    if (const auto room = gateway::connection_descriptors(limit.rlim_cur); room < connections) {
        spdlog::warn(
            "this process may open {} files: about {} connections, fewer than limits.connections ({}); raise it with ulimit -n or "
            "LimitNOFILE=",
            limit.rlim_cur, room, connections);
    }
}

}  // namespace sluice::cli
