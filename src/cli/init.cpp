#include "cli/init.hpp"

#include <array>
#include <cstdio>
#include <memory>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/bytes.hpp"
#include "cli/exit.hpp"
#include "cli/init_templates.hpp"
#include "cli/json_text.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "manage/config/scalar.hpp"
#include "manage/identity/key_files.hpp"

namespace sluice::cli {
namespace {

constexpr std::size_t kTokenBytes = 32;  // 256 bits: beyond guessing

std::string filled(std::string_view text, std::string_view id) {
    constexpr std::string_view kMark = "@ID@";
    std::string out(text);
    for (std::size_t at = out.find(kMark); at != std::string::npos; at = out.find(kMark, at + id.size())) out.replace(at, kMark.size(), id);
    return out;
}

/// A new file of mode 0600, on disk when this returns. Errors: exists, permission, disk_full, io.
base::Status write_new(env::FileSystem& files, const std::string& path, std::string_view text) {
    auto file = files.open(path, env::OpenMode::create_new);
    if (!file) return file.error();
    if (auto written = (*file)->write_at(0, base::as_bytes(text)); !written) return written;
    return (*file)->sync();
}

std::string new_token(env::Entropy& entropy) {
    std::array<base::Byte, kTokenBytes> random{};
    entropy.fill(random);
    std::string token;
    for (const base::Byte byte : random) token += fmt::format("{:02x}", byte);
    return token + "\n";
}

std::string default_id(const InitOptions& options) {
    std::string_view folder = options.folder;
    while (folder.ends_with('/')) folder.remove_suffix(1);
    const std::size_t slash = folder.rfind('/');
    const std::string_view name = slash == std::string_view::npos ? folder : folder.substr(slash + 1);
    if (config::is_identifier(name)) return std::string(name);
    return options.cloud ? "hq" : "plant-1";
}

std::string written_json(const InitOptions& options, const std::string& file, const std::string& id) {
    std::string keys;
    if (!options.cloud) {
        keys = fmt::format(R"(,"token":{},"master_key":{})", json_text(options.folder + "/keys/uplink.token"),
                           json_text(options.folder + "/var/keys/master.key"));
    }
    return fmt::format("{{\"tier\":\"{}\",\"id\":{},\"config\":{}{}}}\n", options.cloud ? "cloud" : "gateway", json_text(id),
                       json_text(file), keys);
}

InitOutput refuse(std::string message, int code) { return {{}, fmt::format("sluice init: {}\n", message), code}; }

InitOutput failed(const std::string& path, const base::Error& error) {
    return refuse(fmt::format("{}: {}", path, base::describe(error)), kExitFailed);
}

std::string next_steps(const InitOptions& options, const std::string& file, const std::string& id) {
    if (options.cloud) {
        return fmt::format(
            "wrote {}\n"
            "next:  sluice cloud -c {}\n"
            "       curl http://127.0.0.1:8081/api/v1/gateways\n",
            file, file);
    }
    return fmt::format(
        "wrote {0}, {1}/keys/uplink.token and {1}/var/keys/master.key (back this one up: without it nobody reads the spool)\n"
        "next:  sluice gateway -c {0}\n"
        "       mosquitto_pub -p 1883 -t sensors/a/vibration -m '{{\"device\":\"a\",\"ts\":1,\"vibration\":0.5}}'\n"
        "       sluice tap 'alerts/#'\n"
        "a cloud on another machine needs this line, and the token file:  - {{gateway: {2}, token_file: keys/{2}.token}}\n",
        file, options.folder, id);
}

}  // namespace

InitOutput initialise(env::FileSystem& files, env::Entropy& entropy, const InitOptions& given) {
    InitOptions options = given;
    while (options.folder.size() > 1 && options.folder.ends_with('/')) options.folder.pop_back();
    const std::string id = options.id.empty() ? default_id(options) : options.id;
    if (!config::is_identifier(id)) {
        return refuse(fmt::format("--id: expected letters, digits, `_` and `-`, 1 to 64 of them, found `{}`", id), kExitUsage);
    }
    const std::string keys = options.folder + "/keys";
    const std::string file = options.folder + (options.cloud ? "/cloud.yaml" : "/gateway.yaml");
    if (files.permissions(file)) {
        return refuse(fmt::format("{} exists already and is left as it is: choose another folder, or remove it first", file), kExitUsage);
    }
    if (auto made = files.make_directory(keys); !made) return failed(keys, made.error());
    // Keys first: a configuration that is there is complete. Keys of an earlier attempt are kept.
    if (!options.cloud) {
        const std::string token = keys + "/uplink.token";
        if (auto written = write_new(files, token, new_token(entropy)); !written && written.error().code != base::Errc::exists) {
            return failed(token, written.error());
        }
        const std::string data = options.folder + "/var";
        if (auto made = files.make_directory(data); !made) return failed(data, made.error());
        identity::KeyFiles key_files(files, data);
        if (auto made = key_files.open_or_create(entropy); !made)
            return failed(data + "/" + identity::key_file(key_files.culprit()), made.error());
    }
    if (auto synced = files.sync_directory(keys); !synced) return failed(keys, synced.error());
    const std::string_view text = options.cloud ? kCloudTemplate : kGatewayTemplate;
    if (auto written = write_new(files, file, filled(text, id)); !written) return failed(file, written.error());
    if (auto synced = files.sync_directory(options.folder); !synced) return failed(options.folder, synced.error());
    return {options.json ? written_json(options, file, id) : next_steps(options, file, id), {}, kExitGood};
}

void add_init(CLI::App& app, Exit& exit) {
    struct Options {
        std::string what;
        std::string folder;
        std::string id;
        bool json = false;
    };
    auto* command = app.add_subcommand("init", "write a commented configuration and keys to start from");
    auto options = std::make_shared<Options>();
    command->add_option("WHAT", options->what, "gateway or cloud; may be left out: gateway")->required();
    command->add_option("DIR", options->folder, "its folder, made if it is missing");
    command->add_option("--id", options->id, "its name; the folder's name by default");
    command->add_flag("--json", options->json, "what was written, as one JSON object");
    command->footer(
        "Examples:\n"
        "  sluice init my-plant\n"
        "  sluice init gateway my-plant --id plant-7\n"
        "  sluice init cloud hq\n"
        "\n"
        "Nothing that exists is overwritten. Exit: 0 written, 1 the disk refused, 2 wrong use or there is a configuration already.");
    command->callback([options, &exit] {
        const bool tier_given = options->what == "gateway" || options->what == "cloud";
        if (tier_given == options->folder.empty()) {
            std::fprintf(stderr, "sluice init: expected `sluice init [gateway|cloud] DIR`, for example `sluice init gateway my-plant`\n");
            exit.code = kExitUsage;
            return;
        }
        posix::PosixFileSystem files;
        posix::PosixEntropy entropy;
        const InitOutput result = initialise(files, entropy,
                                             {.cloud = options->what == "cloud",
                                              .folder = tier_given ? options->folder : options->what,
                                              .id = options->id,
                                              .json = options->json});
        std::fputs(result.err.c_str(), stderr);
        std::fputs(result.out.c_str(), stdout);
        exit.code = result.code;
    });
}

}  // namespace sluice::cli
