// The configuration of a gateway as plain values: DESIGN §6. The defaults here are those of the key table (a test compares); every key is
// described in docs/configuration.md.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "manage/config/access_files.hpp"
#include "manage/config/bridge_config.hpp"
#include "manage/config/listen.hpp"
#include "manage/config/located_text.hpp"

namespace sluice::config {

/// How long a loop may nap to take more messages in one turn.
enum class Latency : std::uint8_t { low, balanced, eco };

struct GatewayIdentity {
    std::string id;  ///< [A-Za-z0-9_-]{1,64}
    Path data;       ///< made with mode 0700 by the daemon; report "not writable", "wrong key" at data.at
    Latency latency = Latency::balanced;
    std::chrono::milliseconds sys_interval{10'000};
    unsigned shards = 0;  ///< 0: one for each core
    friend bool operator==(const GatewayIdentity&, const GatewayIdentity&) = default;
};

/// `auth`. Absent: anonymous clients, and the reader has made sure that every listener is local.
struct Auth {
    bool configured = false;  ///< the section is there
    bool anonymous = true;    ///< clients without credentials may connect
    Path users;               ///< empty: nobody has a password
    Path acl;                 ///< empty: who may connect may do everything
    std::vector<UserEntry> user_list;
    std::vector<AclEntry> acl_rows;
    friend bool operator==(const Auth&, const Auth&) = default;
};

/// Every limit has a reaction and, where it refuses or drops something, a counter; docs/configuration.md names them.
struct Limits {
    std::uint32_t connections = 20'000;                         ///< MQTT connections at a time, all listeners and shards
    std::uint32_t connect_rate = 5'000;                         ///< new connections a second; 0: any
    std::uint32_t connect_rate_address = 1'000;                 ///< the same of one address that is not this machine's
    std::chrono::milliseconds connect_timeout{10'000};          ///< from the TCP connection to a complete CONNECT
    std::chrono::milliseconds keep_alive_max{64'800'000};       ///< 18 h; at most 65,535 s, what the protocol can say
    std::uint64_t payload = 256 * 1024;                         ///< bytes of one PUBLISH payload
    std::uint64_t will_payload = 256 * 1024;                    ///< bytes of one will's payload; that of `payload` if it is less
    std::uint64_t will_bytes = 16 * 1024 * 1024;                ///< of all wills: topics, payloads, properties
    std::uint32_t message_rate = 0;                             ///< PUBLISH packets a second of one client; 0: any
    std::uint64_t byte_rate = 0;                                ///< the same in bytes
    std::uint32_t topic_length = 65'535;                        ///< bytes of a topic or filter
    std::uint32_t topic_levels = 65'536;                        ///< of a topic; a filter has at most 64
    std::uint16_t topic_aliases = 16;                           ///< MQTT 5, towards the gateway, each client
    std::uint16_t topic_aliases_out = 32;                       ///< MQTT 5, towards each client
    std::uint16_t receive_maximum = 4'096;                      ///< QoS 1 and 2 of one client, not yet acknowledged by the gateway
    std::uint16_t in_flight = 256;                              ///< QoS 1 and 2 towards one client, not yet acknowledged by it
    std::uint32_t subscriptions = 1'000;                        ///< of one client
    std::uint32_t subscriptions_total = 500'000;                ///< of all sessions
    std::uint32_t queue_messages = 1'000;                       ///< waiting for one client behind those in flight
    std::uint64_t queue_bytes = 1024 * 1024;                    ///< the same in bytes
    std::uint64_t queue_bytes_total = 64 * 1024 * 1024;         ///< in flight to, or waiting for, all clients
    std::uint64_t output_bytes = 1024 * 1024;                   ///< written to one connection, not yet taken by its socket
    std::uint32_t sessions = 50'000;                            ///< with those of clients that are away
    std::chrono::milliseconds session_expiry_max{604'800'000};  ///< 7 d
    std::uint32_t retained_messages = 100'000;
    std::uint64_t retained_bytes = 64 * 1024 * 1024;
    std::uint64_t memory = 0;                            ///< bytes of the broker, all of the above; 0: half of what the machine has
    std::uint32_t rule_keys = 100'000;                   ///< keys with state in one rule; reaction: state_full
    std::uint64_t rule_state_bytes = 256 * 1024 * 1024;  ///< of all rules and shards; reaction: state_full
    std::uint64_t rule_state = 64 * 1024 * 1024;         ///< of each rule, all shards; reaction: state_full
    std::uint32_t json_depth = 32;                       ///< nesting of a payload that a rule reads
    std::uint32_t table_rows = 100'000;                  ///< of one table
    std::uint64_t table_bytes = 64 * 1024 * 1024;        ///< of all tables together; reaction: the file is refused
    friend bool operator==(const Limits&, const Limits&) = default;
};

/// One entry of `to`: exactly one of the two is set.
struct Destination {
    LocatedText topic;             ///< template: `alerts/{device}`; empty value: not a topic
    std::string cloud;             ///< name of a class
    std::uint8_t class_index = 0;  ///< index into Uplink::classes when `cloud` is set
    Place at;
    [[nodiscard]] bool is_topic() const { return cloud.empty(); }
    friend bool operator==(const Destination&, const Destination&) = default;
};

struct RuleConfig {
    Located id;
    LocatedText sql;
    std::vector<Destination> to;
    Place at;
    std::uint64_t state_bytes_max = 0;  ///< 0: limits.rule_state
    bool forget_oldest = false;         ///< state.when_full
    bool paused = false;                ///< no key of the file: who changes rules at run time sets it
    friend bool operator==(const RuleConfig&, const RuleConfig&) = default;
};

/// A file that rules can JOIN.
struct TableConfig {
    Located name;
    Path file;
    std::vector<Located> key;  ///< columns
    Place at;
    friend bool operator==(const TableConfig&, const TableConfig&) = default;
};

/// Upper limits of zones A, B and C of a class of machines: velocity in mm/s (rms), ascending.
struct MachineClassConfig {
    std::string name;
    std::array<double, 3> limits{};
    Place at;
    friend bool operator==(const MachineClassConfig&, const MachineClassConfig&) = default;
};

enum class FunctionRuntime : std::uint8_t { python3, exec };
enum class FunctionEvent : std::uint8_t { text, json };

/// Not built yet: the reader notes it.
struct FunctionConfig {
    Located name;
    FunctionRuntime runtime = FunctionRuntime::python3;
    Path path;
    std::string handler;
    FunctionEvent event = FunctionEvent::json;
    std::vector<Located> from;  ///< topic filters; or
    LocatedText sql;
    std::vector<Destination> to;
    std::chrono::milliseconds timeout{3'000};
    unsigned workers = 1;
    LocatedText key;
    std::uint64_t memory = 64 * 1024 * 1024;
    Place at;
    friend bool operator==(const FunctionConfig&, const FunctionConfig&) = default;
};

enum class Restart : std::uint8_t { always, on_failure, never };
struct ModuleRoute {
    std::string from;
    std::string to;
    friend bool operator==(const ModuleRoute&, const ModuleRoute&) = default;
};

/// Not built yet.
struct ModuleConfig {
    Located name;
    std::string image;  ///< or
    std::vector<std::string> command;
    std::map<std::string, std::string> env;
    std::vector<ModuleRoute> routes;
    Restart restart = Restart::always;
    std::vector<std::string> health_command;
    std::chrono::milliseconds health_interval{30'000};
    std::chrono::milliseconds health_timeout{5'000};
    std::uint64_t memory = 128 * 1024 * 1024;
    double cpus = 1;
    Place at;
    friend bool operator==(const ModuleConfig&, const ModuleConfig&) = default;
};

/// Not built yet.
struct ModelConfig {
    Located name;
    Path file;
    std::vector<std::string> inputs;
    std::chrono::milliseconds budget_latency{10};
    std::uint64_t budget_memory = 16 * 1024 * 1024;
    Place at;
    friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

enum class ShadowSync : std::uint8_t { off, realtime, periodic };

/// Not built yet.
struct Shadows {
    ShadowSync sync = ShadowSync::off;
    std::chrono::milliseconds sync_interval{60'000};
    friend bool operator==(const Shadows&, const Shadows&) = default;
};

/// Which events of a class go when it is full.
enum class ClassDrop : std::uint8_t { oldest, newest };

struct ClassConfig {
    std::string name;           ///< [A-Za-z0-9_-]{1,64}
    std::uint8_t priority = 0;  ///< 0 goes first and is dropped last; 0 to 15
    std::chrono::milliseconds ttl{0};
    std::uint32_t max_share = 100;  ///< percent of spool.max_bytes; 5 to 100
    ClassDrop drop = ClassDrop::oldest;
    std::vector<std::string> to{};  ///< ids of the uplinks that get its events; empty: all that there are
    [[nodiscard]] bool goes_to(std::string_view uplink) const { return to.empty() || std::find(to.begin(), to.end(), uplink) != to.end(); }
    friend bool operator==(const ClassConfig&, const ClassConfig&) = default;
};

enum class UplinkKind : std::uint8_t { sluice, mqtt, aws, azure, http, nats, kafka };
enum class UplinkPayload : std::uint8_t { batch, envelope, data };
enum class UplinkCompression : std::uint8_t { none, gzip, lz4, zstd };
enum class UplinkSasl : std::uint8_t { plain, scram_sha_256, scram_sha_512 };
enum class UplinkVersion : std::uint8_t { automatic, v5, v311 };

/// `uplink`. Without a url nothing leaves; events for the cloud still wait in the spool.
struct Uplink {
    std::string url;  ///< as written; empty: no cloud
    std::string scheme;
    UplinkKind kind = UplinkKind::sluice;
    bool tls = false;
    std::string host;
    std::uint16_t port = 0;
    bool default_port = true;  ///< it is the scheme's own
    std::string path;          ///< of the URL
    std::string token;         ///< from `token` or the contents of `token_file`
    // Of clouds that know nothing of Sluice
    std::string user;
    std::string password;  ///< from `password` or the contents of `password_file`
    std::string client_id;
    std::string topic;
    std::string status_topic;
    UplinkPayload payload = UplinkPayload::batch;
    UplinkVersion version = UplinkVersion::automatic;
    std::uint64_t message_bytes = 128 * 1024;  ///< of a message's payload, but for an event that is larger alone
    // Of NATS
    std::vector<std::string> servers;  ///< HOST:PORT of more servers of the same cluster
    std::string stream;
    std::uint32_t replicas = 1;
    // Of Kafka
    std::vector<std::string> brokers;  ///< HOST:PORT, all that the URL names
    UplinkCompression compression = UplinkCompression::zstd;
    UplinkSasl sasl = UplinkSasl::plain;
    std::string alpn = "mqtt";  ///< what is asked for through TLS
    Path cert;
    Path key;
    Path ca;
    std::chrono::milliseconds keep_alive{30'000};
    std::chrono::milliseconds ack_timeout{20'000};  ///< no acknowledgement for this long with events waiting: the connection is remade
    std::chrono::milliseconds retry_max{30'000};    ///< longest pause between attempts
    std::uint32_t drain_rate = 100'000;             ///< events a second of all classes; 0: no limit
    std::uint32_t in_flight = 16;                   ///< unacknowledged batches
    Place at;
    /// In order of data::ClassIndex: alert, aggregate, sample, then the user's own as they stand in the file. At most data::kClassesMax.
    std::vector<ClassConfig> classes{
        {"alert", 0, std::chrono::hours(24 * 7)}, {"aggregate", 1, std::chrono::hours(24 * 2)}, {"sample", 2, std::chrono::hours(24)}};
    [[nodiscard]] bool configured() const { return !url.empty(); }
    friend bool operator==(const Uplink&, const Uplink&) = default;
};

/// `uplink` is called so where uplinks have names.
inline constexpr std::string_view kMainUplink = "main";

/// One of `uplinks`: another cloud.
struct NamedUplink {
    std::string id;
    Uplink uplink;  ///< its classes mean nothing: those of GatewayConfig::uplink count
    friend bool operator==(const NamedUplink&, const NamedUplink&) = default;
};

struct Spool {
    std::uint64_t max_bytes = 256 * 1024 * 1024;  ///< everything under <data>/spool counts
    bool compress = false;
    friend bool operator==(const Spool&, const Spool&) = default;
};

/// `state`: how the rules' state outlives the process.
struct State {
    bool journal = true;
    std::chrono::milliseconds checkpoint{std::chrono::minutes(5)};
    std::uint64_t journal_bytes = 64 * 1024 * 1024;
    friend bool operator==(const State&, const State&) = default;
};

struct Cost {
    double price_per_million = 50'000.0 / 25'920.0;  ///< USD; 25.92 billion readings a month (10,000 a second) for 50,000
    friend bool operator==(const Cost&, const Cost&) = default;
};

struct GatewayConfig {
    std::string file;  ///< as given on the command line
    GatewayIdentity gateway;
    Listen listen;
    Auth auth;
    Limits limits;
    std::vector<TableConfig> tables;
    std::vector<MachineClassConfig> machine_classes;
    std::vector<RuleConfig> rules;
    std::vector<BridgeConfig> bridges;
    std::vector<FunctionConfig> functions;
    std::vector<ModuleConfig> modules;
    std::vector<ModelConfig> models;
    Shadows shadows;
    Uplink uplink;
    std::vector<NamedUplink> uplinks;
    Spool spool;
    State state;
    Cost cost;
    Log log;
    friend bool operator==(const GatewayConfig&, const GatewayConfig&) = default;
};

}  // namespace sluice::config
