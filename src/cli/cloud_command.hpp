// `sluice cloud`: runs the cloud tier.
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;
void add_cloud(CLI::App& app, Exit& exit);

}  // namespace sluice::cli
