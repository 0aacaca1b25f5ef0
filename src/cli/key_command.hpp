// `sluice key`: the master keys of a gateway.
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

void add_key(CLI::App& app, Exit& exit);

}  // namespace sluice::cli
