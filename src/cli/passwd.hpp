// `sluice passwd`: users and their passwords, in the file that `auth.users` names.
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

void add_passwd(CLI::App& app, Exit& exit);

}  // namespace sluice::cli
