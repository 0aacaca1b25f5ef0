// From a checked document to plain values, and the checks that no single key can tell. Internal to this folder.
#pragma once

#include <string>
#include <string_view>

#include "manage/config/cloud_config.hpp"
#include "manage/config/gateway_config.hpp"
#include "manage/config/load.hpp"
#include "manage/config/problem.hpp"
#include "manage/config/view.hpp"

namespace sluice::env {
class FileSystem;
}

namespace sluice::config {

/// Adds problems with an error severity at a place.
void add_error(Problems& problems, Position at, std::string key, std::string message);
void add_warning(Problems& problems, Position at, std::string key, std::string message);
void add_not_built(Problems& problems, Position at, std::string key, std::string_view what);

/// Keys of one listener that clash or are missing: certificates where there is no TLS, and the like.
void check_tls_keys(const MqttListener& listener, const View& view, const std::string& key, Problems& problems);
/// Keys of one listener that only a gateway has (so far).
void read_gateway_listener(const View& view, const std::string& key, MqttListener& listener, Problems& problems);

/// `listen`: addresses, certificates, what is not built, clashes. The same for both tiers.
[[nodiscard]] Listen read_listen(const View& listen, Tier tier, Problems& problems);
[[nodiscard]] Log read_log(const View& log);

/// A token from `token` or `token_file` of a section; `files` may be null: then token files give nothing.
[[nodiscard]] std::string read_token(const View& section, const std::string& key, env::FileSystem* files, Problems& problems);

/// Every `existing` path of the document must be there.
void check_files(const Node& document, const SchemaNode& schema, const ViewContext& context, env::FileSystem& files, Problems& problems);

[[nodiscard]] GatewayConfig read_gateway_values(const View& root, env::FileSystem* files, Problems& problems);
[[nodiscard]] CloudConfig read_cloud_values(const View& root, env::FileSystem* files, Problems& problems);

}  // namespace sluice::config
