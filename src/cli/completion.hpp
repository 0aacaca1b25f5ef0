// sluice completion
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

/// `app` has all other commands when the command runs.
void add_completion(CLI::App& app, Exit& exit);

}  // namespace sluice::cli
