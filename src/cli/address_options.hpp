// How commands are told which broker to talk to: an address, who we are, whom to believe.
#pragma once

#include <string>

#include "cli/load/target.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

struct AddressOptions {
    std::string flag;  ///< of the address: "--at"
    std::string url = "mqtt://127.0.0.1:1883";
    std::string user{};
    std::string password_file{};
    std::string ca{};
    std::string cert{};
    std::string key{};
    bool insecure = false;
};

/// `options` must stay as long as the command.
void add_address_options(CLI::App& command, AddressOptions& options);

/// Reads the files and prepares TLS. False: `problem` is a sentence for the user.
[[nodiscard]] bool make_endpoint(const AddressOptions& options, load::Endpoint& endpoint, std::string& problem);

/// Reads a password from the first line of a file. Errors: not_found, permission, io, invalid (empty).
[[nodiscard]] base::Result<std::string> read_password(const std::string& path);

}  // namespace sluice::cli
