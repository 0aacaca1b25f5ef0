// `sluice init`: a commented configuration and keys to start from.
#pragma once

#include <string>

namespace CLI {
class App;
}
namespace sluice::env {
class Entropy;
class FileSystem;
}  // namespace sluice::env

namespace sluice::cli {
struct Exit;
void add_init(CLI::App& app, Exit& exit);

struct InitOptions {
    bool cloud = false;  ///< else a gateway
    std::string folder;
    std::string id{};   ///< empty: the folder's name, or plant-1 and hq where that cannot be one
    bool json = false;  ///< `out` is one JSON object
};
struct InitOutput {
    std::string out;  ///< what was written and what comes next
    std::string err;
    int code = 0;
};
/// Writes nothing where its configuration file is already.
[[nodiscard]] InitOutput initialise(env::FileSystem& files, env::Entropy& entropy, const InitOptions& options);
}  // namespace sluice::cli
