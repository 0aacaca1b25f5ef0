#include "cli/address_options.hpp"

#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace sluice::cli {
namespace {

constexpr std::size_t kPemBytesMax = 1024 * 1024;  // all certificates of a Debian system take a fifth of it

/// False: no such file, or not one to read; the reason is in `problem`.
bool read_pem(const char* flag, const std::string& path, std::string& into, std::string& problem) {
    if (path.empty()) return true;
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (in) into.assign(std::istreambuf_iterator<char>(in), {});
    if (!into.empty() && into.size() <= kPemBytesMax) return true;
    const auto why = errno != 0 ? base::from_errno(errno) : base::Error{into.empty() ? base::Errc::invalid : base::Errc::too_large};
    problem = fmt::format("{} {}: {}", flag, path, base::describe(why));
    return false;
}

bool make_tls(const AddressOptions& options, load::Endpoint& endpoint, std::string& problem) {
    posix::TlsClientOptions tls{.server = endpoint.target.host, .verify = !options.insecure};
    if (!read_pem("--ca", options.ca, tls.ca, problem) || !read_pem("--cert", options.cert, tls.cert, problem) ||
        !read_pem("--key", options.key, tls.key, problem)) {
        return false;
    }
    tls.alpn = {endpoint.target.is_web() ? "http/1.1" : "mqtt"};
    std::vector<posix::TlsProblem> problems;
    endpoint.tls = posix::TlsClient::make(tls, problems);
    for (const auto& each : problems) {
        if (each.warning) continue;
        static constexpr std::array<const char*, 4> kFlags{"--cert", "--key", "--ca", "--crl"};  // in the order of posix::TlsPart
        const std::array<const std::string*, 4> paths{&options.cert, &options.key, &options.ca, &options.ca};
        const auto part = static_cast<std::size_t>(each.part);
        problem = paths[part]->empty() ? each.message : fmt::format("{} {}: {}", kFlags[part], *paths[part], each.message);
    }
    return endpoint.tls != nullptr;
}

}  // namespace

void add_address_options(CLI::App& command, AddressOptions& options) {
    static const std::string about = fmt::format("the gateway or broker: {}", load::kTargetForms);
    command.add_option(options.flag, options.url, about)->capture_default_str();
    command.add_option("--user", options.user, "user name");
    command.add_option("--password-file", options.password_file, "file whose first line is the password");
    command.add_option("--ca", options.ca,
                       "TLS: PEM file of who signs the server's certificate, or of that itself; else whom this system trusts");
    command.add_option("--cert", options.cert, "TLS: PEM file of our certificate");
    command.add_option("--key", options.key, "TLS: PEM file of its key");
    command.add_flag("--insecure", options.insecure, "TLS: believe whoever answers; for trying things out");
}

bool make_endpoint(const AddressOptions& options, load::Endpoint& endpoint, std::string& problem) {
    const auto target = load::parse_target(options.url);
    if (!target) {
        problem = fmt::format("{} {}: expected {}", options.flag, options.url, load::kTargetForms);
        return false;
    }
    endpoint.target = *target;
    if (!options.user.empty()) endpoint.user = options.user;
    if (!options.password_file.empty()) {
        auto password = read_password(options.password_file);
        if (!password || options.user.empty()) {
            problem = fmt::format("--password-file {}: {}", options.password_file,
                                  password ? "a password needs a user name: --user" : base::describe(password.error()));
            return false;
        }
        endpoint.password = std::move(*password);
    }
    if (target->is_tls()) return make_tls(options, endpoint, problem);
    if (!options.ca.empty() || !options.cert.empty() || !options.key.empty() || options.insecure) {
        problem = fmt::format("{} {}: --ca, --cert, --key and --insecure go with mqtts:// and wss://", options.flag, options.url);
        return false;
    }
    return true;
}

base::Result<std::string> read_password(const std::string& path) {
    errno = 0;
    std::ifstream in(path);
    std::string line;
    if (!in || !std::getline(in, line)) return errno != 0 ? base::from_errno(errno) : base::Error{base::Errc::invalid};
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) return base::Error{base::Errc::invalid};
    return line;
}

}  // namespace sluice::cli
