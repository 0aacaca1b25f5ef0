// From a checked document to plain values, and the checks that no single key can tell. Internal to this folder.
#pragma once

#include <map>
#include <optional>
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

/// Says where a name stood first; a name is empty where it was wrong and reported.
class Names {
public:
    Names(Problems& problems, std::string_view what) : problems_(problems), what_(what) {}
    void add(const Located& name, std::string key);

private:
    Problems& problems_;
    std::string_view what_;
    std::map<std::string, Position> seen_;
};

/// `tables` and `iso20816`: what rules use.
[[nodiscard]] std::vector<TableConfig> read_tables(const View& list, Problems& problems);
[[nodiscard]] std::vector<MachineClassConfig> read_machine_classes(const View& map, Problems& problems);
/// Short enough to be read, whatever they quote; in the order of the file, and at most kProblemsMax and a last line that stands for the
/// others.
void bound(Problems& problems);

/// Keys of one listener that clash or are missing: certificates where there is no TLS, and the like.
void check_tls_keys(const MqttListener& listener, const View& view, const std::string& key, Problems& problems);
/// Keys of one listener that only a gateway has (so far).
void read_gateway_listener(const View& view, const std::string& key, MqttListener& listener, Problems& problems);

/// `listen`: addresses, certificates, what is not built, clashes. The same for both tiers.
[[nodiscard]] Listen read_listen(const View& listen, Tier tier, Problems& problems);
[[nodiscard]] Log read_log(const View& log);

/// `bridges` of a gateway with this id; `payload`: limits.payload.
[[nodiscard]] std::vector<BridgeConfig> read_bridges(const View& list, const std::string& gateway, std::uint64_t payload,
                                                     env::FileSystem* files, Problems& problems);

/// `to` of a rule or function; `classes`: those of the uplink.
[[nodiscard]] std::vector<Destination> read_destinations(const View& view, const std::string& key, const std::vector<ClassConfig>& classes,
                                                         Problems& problems);
/// One element of `rules`.
[[nodiscard]] RuleConfig read_rule(const View& entry, const std::string& key, const std::vector<ClassConfig>& classes, Problems& problems);

/// A token from `token` or `token_file` of a section; `files` may be null: then token files give nothing.
[[nodiscard]] std::string read_token(const View& section, const std::string& key, env::FileSystem* files, Problems& problems);

/// A password from `password` or `password_file` of a section, as read_token().
[[nodiscard]] std::optional<std::string> read_password(const View& section, const std::string& key, env::FileSystem* files,
                                                       Problems& problems);

/// `uplink` of a gateway with this id; without its classes.
[[nodiscard]] Uplink read_uplink(const View& view, const std::string& gateway, env::FileSystem* files, Problems& problems);
[[nodiscard]] std::vector<NamedUplink> read_uplinks(const View& map, const std::string& gateway, env::FileSystem* files,
                                                    Problems& problems);
/// The same Sluice cloud twice is an error.
void check_one_each(const Uplink& main, const std::vector<NamedUplink>& uplinks, Problems& problems);
/// `uplink.classes`, for these uplinks.
[[nodiscard]] std::vector<ClassConfig> read_classes(const View& map, const Uplink& main, const std::vector<NamedUplink>& uplinks,
                                                    Problems& problems);

/// Every `existing` path of the document must be there.
void check_files(const Node& document, const SchemaNode& schema, const ViewContext& context, env::FileSystem& files, Problems& problems);

[[nodiscard]] GatewayConfig read_gateway_values(const View& root, env::FileSystem* files, Problems& problems);
[[nodiscard]] CloudConfig read_cloud_values(const View& root, env::FileSystem* files, Problems& problems);

}  // namespace sluice::config
