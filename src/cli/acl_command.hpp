// `sluice acl test`: what the access list of a configuration says, and which row says it.
#pragma once

#include <optional>
#include <string>

namespace CLI {
class App;
}
namespace sluice::env {
class FileSystem;
}

namespace sluice::cli {

struct Exit;

void add_acl(CLI::App& app, Exit& exit);

struct AclQuestion {
    std::string config;
    std::optional<std::string> user{};
    std::optional<std::string> certificate{};
    std::string client{};  ///< empty: not known, so that nothing is said about rows with %c and client:
    std::string action;    ///< publish or subscribe
    std::string topic;
    bool json = false;
};

struct AclAnswer {
    int code = 0;  ///< 0 allowed, 1 denied, 2 wrong use or configuration
    std::string out{};
    std::string err{};
};

[[nodiscard]] AclAnswer test_acl(env::FileSystem& files, const AclQuestion& asked);

}  // namespace sluice::cli
