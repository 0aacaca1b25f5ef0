// `sluice check`: says everything that is wrong with a configuration file.
#pragma once

#include <string>

namespace CLI {
class App;
}
namespace sluice::env {
class FileSystem;
}

namespace sluice::cli {
struct Exit;
void add_check(CLI::App& app, Exit& exit);

struct CheckOutput {
    std::string out;  ///< for standard output: the verdict, or JSON
    std::string err;  ///< for standard error: a line a problem
    int code = 0;
};
[[nodiscard]] CheckOutput check_configuration(env::FileSystem& files, const std::string& path, bool json);
}  // namespace sluice::cli
