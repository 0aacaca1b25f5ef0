#include "gateway/metrics.hpp"

#include <array>
#include <iterator>

#include <fmt/format.h>

#include "gateway/status.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {
namespace {

struct ShardMetric {
    std::string_view name;
    std::atomic<std::uint64_t> ShardGauges::*value;
    bool gauge;
    std::string_view text;
};

constexpr std::array kShardMetrics{
    ShardMetric{"rules_readings_total", &ShardGauges::readings, false, "readings given to the rules, forwarded ones included"},
    ShardMetric{"rules_matched_total", &ShardGauges::matched, false, "of these: a rule reads their topic"},
    ShardMetric{"rules_rows_total", &ShardGauges::rule_rows, false, "rows that rules put out"},
    ShardMetric{"rules_malformed_total", &ShardGauges::malformed, false, "readings of a rule's topic whose payload is not valid JSON"},
    ShardMetric{"rules_bad_value_total", &ShardGauges::bad_value, false,
                "NULL, text, NaN or infinity where a number was needed; divisions by zero"},
    ShardMetric{"rules_late_total", &ShardGauges::late, false, "readings for a window that had closed"},
    ShardMetric{"rules_state_full_total", &ShardGauges::state_full, false,
                "readings not evaluated because limits.rule_keys, rule_state or rule_state_bytes was reached"},
    ShardMetric{"rules_keys_forgotten_total", &ShardGauges::keys_forgotten, false,
                "keys that rules with `when_full: forget_oldest` forgot to make room for others, once for each rule"},
    ShardMetric{"rules_windows_forgotten_total", &ShardGauges::windows_forgotten, false,
                "windows of such keys that were open: their rows do not come"},
    ShardMetric{"rules_loops_total", &ShardGauges::loops, false, "chains of rules feeding rules that were cut"},
    ShardMetric{"rules_forwarded_total", &ShardGauges::forwarded, false, "readings handed to the shard that owns their key"},
    ShardMetric{"rules_recorded_total", &ShardGauges::recorded, false,
                "readings that went to the journal of rule state: acknowledged ones that moved it"},
    ShardMetric{"rules_keys", &ShardGauges::keys, true, "keys with state"},
    ShardMetric{"rules_state_bytes", &ShardGauges::state_bytes, true, "memory of the rules' state"},
    ShardMetric{"socket_read_bytes_total", &ShardGauges::bytes_read, false, "bytes that MQTT clients sent, protocol included"},
    ShardMetric{"socket_written_bytes_total", &ShardGauges::bytes_written, false, "bytes sent to MQTT clients, protocol included"},
    ShardMetric{"connections_over_limit_total", &ShardGauges::over_limit, false,
                "connections closed at once because limits.connections or the file descriptors were used up"},
    ShardMetric{"connections_over_rate_total", &ShardGauges::over_rate, false,
                "connections closed at once because their address had had its share: limits.connect_rate_address"},
    ShardMetric{"accept_pauses_total", &ShardGauges::accept_pauses, false,
                "times that connections had to wait to be accepted: limits.connect_rate"},
    ShardMetric{"connections_closed_memory_total", &ShardGauges::closed_memory, false,
                "connections closed because their buffers were large and limits.memory was reached"},
    ShardMetric{"sessions_waiting_bytes", &ShardGauges::session_bytes, true,
                "recorded of sessions and retained messages, not committed yet"},
    ShardMetric{"tls_handshakes_total", &ShardGauges::tls_handshakes, false, "TLS handshakes that succeeded"},
    ShardMetric{"tls_resumed_total", &ShardGauges::tls_resumed, false, "of these: took up an earlier session"},
    ShardMetric{"tls_failed_total", &ShardGauges::tls_failed, false,
                "connections closed because of their TLS: no or a wrong certificate, no common version or cipher, no TLS at all"},
    ShardMetric{"websocket_failed_total", &ShardGauges::websocket_failed, false,
                "connections closed because of their WebSocket: another HTTP request, a refused origin, a frame that breaks the protocol"},
    ShardMetric{"proxy_failed_total", &ShardGauges::proxy_failed, false,
                "connections closed because they did not begin with a PROXY header"},
    ShardMetric{"acl_unfit_names_total", &ShardGauges::unfit_names, false,
                "questions to the access list in which a client id or name did not fit a pattern (it holds `+`, `#` or `/`)"},
    ShardMetric{"paused_turns_total", &ShardGauges::paused_turns, false,
                "turns in which sockets were not read because something downstream was full"},
};

struct SignInMetric {
    std::string_view name;
    std::atomic<std::uint64_t> SignInGauges::*value;
    bool gauge;
    std::string_view text;
};

constexpr std::array kSignInMetrics{
    SignInMetric{"sign_ins_verified_total", &SignInGauges::verified, false, "passwords that were right, by their hash"},
    SignInMetric{"sign_ins_remembered_total", &SignInGauges::remembered, false, "credentials that were right before: no hash was computed"},
    SignInMetric{"sign_ins_wrong_total", &SignInGauges::wrong, false, "wrong users or passwords"},
    SignInMetric{"sign_ins_paused_total", &SignInGauges::paused, false, "sign-ins not looked at because of too many failures before"},
    SignInMetric{"sign_ins_busy_total", &SignInGauges::busy, false,
                 "sign-ins refused because too many waited for their hash, or for too long"},
    SignInMetric{"sign_ins_waiting", &SignInGauges::waiting, true, "sign-ins that wait for their hash"},
};

struct ClassMetric {
    std::string_view name;
    std::uint64_t spool::ClassStats::*value;
    bool gauge;
    std::string_view text;
};

constexpr std::array kClassMetrics{
    ClassMetric{"events_created_total", &spool::ClassStats::created, false, "events made for the cloud"},
    ClassMetric{"events_delivered_total", &spool::ClassStats::delivered, false, "of these: stored by the cloud"},
    ClassMetric{"events_waiting", &spool::ClassStats::waiting, true, "of these: waiting in the spool"},
    ClassMetric{"spool_class_bytes", &spool::ClassStats::bytes, true, "disk space of the class"},
    ClassMetric{"spool_class_bytes_max", &spool::ClassStats::bytes_max, true, "its share of the limit, max_share of the class"},
};

struct SpoolMetric {
    std::string_view name;
    std::uint64_t spool::Stats::*value;
    bool gauge;
    std::string_view text;
};

constexpr std::array kSpoolMetrics{
    SpoolMetric{"spool_bytes", &spool::Stats::bytes_used, true, "disk space of the spool, everything included"},
    SpoolMetric{"spool_bytes_max", &spool::Stats::bytes_max, true, "its limit, spool.max_bytes"},
    SpoolMetric{"spool_accepted_bytes_total", &spool::Stats::bytes_accepted, false, "bytes of events committed"},
    SpoolMetric{"spool_written_bytes_total", &spool::Stats::bytes_written, false,
                "bytes written to disk for them: over accepted it is the write amplification"},
    SpoolMetric{"spool_syncs_total", &spool::Stats::syncs, false, "file syncs since start"},
    SpoolMetric{"spool_commits_total", &spool::Stats::commits, false, "group commits since start"},
    SpoolMetric{"spool_sync_failures_total", &spool::Stats::sync_failures, false, "syncs that failed since start"},
    SpoolMetric{"spool_segments", &spool::Stats::segments, true, "segment files"},
};

struct JournalMetric {
    std::string_view name;
    std::uint64_t JournalStats::*value;
    bool gauge;
    std::string_view text;
};

constexpr std::array kJournalMetrics{
    JournalMetric{"state_journal_bytes", &JournalStats::bytes_used, true, "disk space of the journal of rule state"},
    JournalMetric{"state_journal_bytes_max", &JournalStats::bytes_max, true, "its limit, state.journal_bytes"},
    JournalMetric{"state_journal_written_bytes_total", &JournalStats::bytes_written, false, "bytes written to it"},
    JournalMetric{"state_journal_syncs_total", &JournalStats::syncs, false, "its file syncs since start"},
    JournalMetric{"state_journal_lost_total", &JournalStats::lost, false,
                  "its records that were dropped before a checkpoint made them superfluous: it was full, or the disk"},
    JournalMetric{"state_replayed_readings", &JournalStats::replayed, true, "readings replayed at the last start"},
    JournalMetric{"state_checkpoints_total", &JournalStats::checkpoints, false, "saves of a shard's rule state since start"},
    JournalMetric{"state_checkpoint_bytes", &JournalStats::checkpoint_bytes, true, "size of the last ones of all shards"},
};

struct UplinkMetric {
    std::string_view name;
    std::uint64_t uplink::Stats::*value;
    std::string_view text;
};

constexpr std::array kUplinkMetrics{
    UplinkMetric{"uplink_connections_total", &uplink::Stats::connections, "sign-ins that the cloud accepted"},
    UplinkMetric{"uplink_failures_total", &uplink::Stats::failures, "attempts and connections that failed"},
    UplinkMetric{"uplink_refusals_total", &uplink::Stats::refusals, "sign-ins or batches that the cloud refused"},
    UplinkMetric{"uplink_stalls_total", &uplink::Stats::stalls, "connections given up because nothing was acknowledged"},
    UplinkMetric{"uplink_events_sent_total", &uplink::Stats::events_sent, "events sent, resends included"},
    UplinkMetric{"uplink_events_acked_total", &uplink::Stats::events_acked, "events acknowledged"},
    UplinkMetric{"uplink_sent_bytes_total", &uplink::Stats::bytes_up, "bytes sent since start"},
    UplinkMetric{"uplink_received_bytes_total", &uplink::Stats::bytes_down, "bytes received since start"},
};

struct SessionMetric {
    std::string_view name;
    std::atomic<std::uint64_t> SessionGauges::*value;
    bool gauge;
    std::string_view text;
};

constexpr std::array kSessionMetrics{
    SessionMetric{"sessions_commits_total", &SessionGauges::commits, false, "commits of sessions and retained messages to disk"},
    SessionMetric{"sessions_commit_failures_total", &SessionGauges::commit_failures, false, "of these: failed, to be tried again"},
    SessionMetric{"sessions_degraded", &SessionGauges::degraded, true,
                  "1 while the disk refuses sessions: publishes that they wait for are not acknowledged"},
    SessionMetric{"sessions_rows_written_total", &SessionGauges::rows_written, false, "rows of sessions and retained messages written"},
    SessionMetric{"sessions_rows_removed_total", &SessionGauges::rows_removed, false, "rows removed"},
    SessionMetric{"sessions_rows_spared_total", &SessionGauges::rows_spared, false,
                  "deliveries acknowledged before their commit: never written"},
    SessionMetric{"sessions_loaded", &SessionGauges::sessions_loaded, true, "sessions found on disk at start"},
    SessionMetric{"sessions_corrupt_rows", &SessionGauges::rows_unreadable, true, "rows found corrupt at start: dropped"},
    SessionMetric{"sessions_corrupt_sessions", &SessionGauges::sessions_lost, true, "sessions lost by that"},
    SessionMetric{"sessions_corrupt_deliveries", &SessionGauges::deliveries_lost, true, "messages waiting for a session lost by that"},
    SessionMetric{"sessions_damaged", &SessionGauges::damaged, true, "1 if the database was damaged at start and put aside"},
};

struct BridgeMetric {
    std::string_view name;
    std::atomic<std::uint64_t> BridgeGauges::*value;
    bool gauge;
    std::string_view text;
};

constexpr std::array kBridgeMetrics{
    BridgeMetric{"bridge_connections_total", &BridgeGauges::connections, false, "connections to the remote broker that stood"},
    BridgeMetric{"bridge_failures_total", &BridgeGauges::failures, false, "attempts that failed and connections that broke"},
    BridgeMetric{"bridge_filters_refused", &BridgeGauges::filters_refused, true, "subscriptions of this connection that a side refused"},
    BridgeMetric{"bridge_messages_in_total", &BridgeGauges::messages_in, false, "messages from the remote broker, taken by our hub"},
    BridgeMetric{"bridge_messages_out_total", &BridgeGauges::messages_out, false, "messages taken by the remote broker (QoS 0: sent)"},
    BridgeMetric{"bridge_messages_waiting", &BridgeGauges::waiting, true, "messages in flight to or queued for the remote broker"},
    BridgeMetric{"bridge_queue_full_total", &BridgeGauges::queue_full, false,
                 "messages for the remote broker dropped because bridges[].queue_messages or queue_bytes was reached"},
    BridgeMetric{"bridge_echoes_total", &BridgeGauges::echoes, false,
                 "our own messages that a 3.1.1 broker sent back: recognised, no loss"},
};

struct TableMetric {
    std::string_view name;
    std::uint64_t TableGauges::*value;
    bool gauge;
    std::string_view text;
};

constexpr std::array kTableMetrics{
    TableMetric{"table_rows", &TableGauges::rows, true, "rows of the reference table"},
    TableMetric{"table_bytes", &TableGauges::bytes, true, "its memory"},
    TableMetric{"table_loads_total", &TableGauges::loads, false, "contents of its file that were taken, the first included"},
    TableMetric{"table_failures_total", &TableGauges::failures, false,
                "contents that could not be used, or no file at all: the table kept what it had, the log says why"},
};

constexpr std::string_view kBridgeDropText =
    "messages not passed on: unmapped (no map has their topic), looped (have been there), too_large, refused (by the other side), "
    "topic_invalid (no topic name)";

struct RuleMetric {
    std::string_view name;
    std::uint64_t (*value)(const RuleFigures&);
    bool gauge;
    std::string_view text;
};

constexpr std::array kRuleMetrics{
    RuleMetric{"rule_evaluated_total", [](const RuleFigures& rule) { return rule.counters.evaluated; }, false,
               "readings that the rule evaluated, over all changes of it since start"},
    RuleMetric{"rule_rows_total", [](const RuleFigures& rule) { return rule.counters.rows; }, false, "rows that it put out"},
    RuleMetric{"rule_malformed_total", [](const RuleFigures& rule) { return rule.counters.malformed; }, false,
               "readings that it could not read"},
    RuleMetric{"rule_bad_value_total", [](const RuleFigures& rule) { return rule.counters.bad_value; }, false,
               "NULL, text, NaN or infinity where it needed a number; divisions by zero"},
    RuleMetric{"rule_late_total", [](const RuleFigures& rule) { return rule.counters.late; }, false,
               "readings for a window of it that had closed"},
    RuleMetric{"rule_state_full_total", [](const RuleFigures& rule) { return rule.counters.state_full; }, false,
               "readings that it did not evaluate because there was no room for their key"},
    RuleMetric{"rule_keys_forgotten_total", [](const RuleFigures& rule) { return rule.counters.keys_forgotten; }, false,
               "keys that it forgot to make room for others (`when_full: forget_oldest`)"},
    RuleMetric{"rule_windows_forgotten_total", [](const RuleFigures& rule) { return rule.counters.windows_forgotten; }, false,
               "windows of such keys that were open: their rows do not come"},
    RuleMetric{"rule_keys", [](const RuleFigures& rule) { return rule.state.keys; }, true, "keys that it has state of"},
    RuleMetric{"rule_state_bytes", [](const RuleFigures& rule) { return rule.state.bytes; }, true,
               "memory of its state, with that of rules that keep theirs of the same keys"},
    RuleMetric{"rule_state_bytes_max", [](const RuleFigures& rule) { return rule.state.bytes_max; }, true,
               "their bound: limits.rule_state of each, or state.max_bytes of the rule"},
};

class Writer {
public:
    void head(std::string_view name, bool gauge, std::string_view text) {
        fmt::format_to(std::back_inserter(out_), "# HELP sluice_{} {}\n# TYPE sluice_{} {}\n", name, text, name,
                       gauge ? "gauge" : "counter");
    }
    void value(std::string_view name, std::string_view labels, double value) {
        fmt::format_to(std::back_inserter(out_), "sluice_{}{} {}\n", name, labels, value);
    }
    void value(std::string_view name, std::string_view labels, std::uint64_t value) {
        fmt::format_to(std::back_inserter(out_), "sluice_{}{} {}\n", name, labels, value);
    }
    std::string take() { return std::move(out_); }

private:
    std::string out_;
};

void write_bridges(Writer& out, const BridgeList& bridges) {
    out.head("bridge_connected", true, "1 while messages pass");
    for (const auto& each : bridges) {
        out.value("bridge_connected", fmt::format("{{bridge=\"{}\"}}", each->name),
                  std::uint64_t{each->connected.load(std::memory_order_relaxed)});
    }
    for (const auto& row : kBridgeMetrics) {
        out.head(row.name, row.gauge, row.text);
        for (const auto& each : bridges)
            out.value(row.name, fmt::format("{{bridge=\"{}\"}}", each->name), ((*each).*row.value).load(std::memory_order_relaxed));
    }
    out.head("bridge_dropped_total", false, kBridgeDropText);
    for (const auto& each : bridges) {
        const auto row = [&](std::string_view direction, std::size_t reason, std::uint64_t count) {
            out.value("bridge_dropped_total",
                      fmt::format("{{bridge=\"{}\",direction=\"{}\",reason=\"{}\"}}", each->name, direction, bridge::kDropNames[reason]),
                      count);
        };
        for (std::size_t i = 0; i < bridge::kDropNames.size(); ++i) {
            row("in", i, each->dropped_in[i].load(std::memory_order_relaxed));
            row("out", i, each->dropped_out[i].load(std::memory_order_relaxed));
        }
    }
}

/// `uplink` has none, so that who knows one cloud only finds its figures as ever.
std::string uplink_label(const UplinkView& view) { return fmt::format("{{uplink=\"{}\"}}", view.id); }
constexpr std::string_view kKeyNewestText = "number of the master key that seals";
constexpr std::string_view kKeysText = "master keys, older ones included";
constexpr std::string_view kKeyOlderBytesText = "bytes of segments (spool and journal) that still need an older key";
constexpr std::string_view kKeyOlderItemsText = "files and rows that still need an older key";

void write_keys(Writer& out, const KeyView& keys) {
    if (keys.keys.empty()) return;
    out.head("key_newest", true, kKeyNewestText);
    out.value("key_newest", "", std::uint64_t{keys.keys.back()});
    out.head("keys", true, kKeysText);
    out.value("keys", "", std::uint64_t{keys.keys.size()});
    out.head("key_older_bytes", true, kKeyOlderBytesText);
    out.value("key_older_bytes", "", keys.older_bytes());
    out.head("key_older_items", true, kKeyOlderItemsText);
    for (std::size_t i = 0; i < kKeyHolders; ++i)
        out.value("key_older_items", fmt::format("{{holder=\"{}\"}}", kKeyHolderNames[i]), keys.older_items(static_cast<KeyHolder>(i)));
}

std::string hub_name(const hub::CounterInfo& row) { return fmt::format("hub_{}{}", row.name, row.gauge ? "" : "_total"); }

}  // namespace

std::string metrics_text(const BackboneView& view, const SessionGauges& sessions, std::span<ShardGauges* const> shards,
                         const SignInGauges& sign_ins, const BridgeList& bridges, std::span<const TableGauges> tables, const KeyView& keys,
                         double uptime_s) {
    Writer out;
    out.head("uptime_seconds", true, "time since start");
    out.value("uptime_seconds", "", uptime_s);
    out.head("readings_in_total", false, "messages from outside, over the life of the data directory");
    out.value("readings_in_total", "", view.totals.readings_in);
    out.head("readings_in_bytes_total", false, "their payloads");
    out.value("readings_in_bytes_total", "", view.totals.bytes_in);
    out.head("uplink_connected", true, "1 while signed in to the cloud");
    out.value("uplink_connected", "", std::uint64_t{main_uplink(view).connected});
    for (const UplinkView& each : view.uplinks) {
        if (each.id != config::kMainUplink) out.value("uplink_connected", uplink_label(each), std::uint64_t{each.stats.connected});
    }
    for (std::size_t i = 0; i < hub::kCounterTable.size(); ++i) {
        const std::string name = hub_name(hub::kCounterTable[i]);
        out.head(name, hub::kCounterTable[i].gauge, hub::kCounterTable[i].text);
        for (std::size_t shard = 0; shard < shards.size(); ++shard) {
            out.value(name, fmt::format("{{shard=\"{}\"}}", shard), shards[shard]->hub[i].load(std::memory_order_relaxed));
        }
    }
    for (const auto& row : kShardMetrics) {
        out.head(row.name, row.gauge, row.text);
        for (std::size_t shard = 0; shard < shards.size(); ++shard) {
            out.value(row.name, fmt::format("{{shard=\"{}\"}}", shard), (shards[shard]->*row.value).load(std::memory_order_relaxed));
        }
    }
    for (const auto& row : kSignInMetrics) {
        out.head(row.name, row.gauge, row.text);
        out.value(row.name, "", (sign_ins.*row.value).load(std::memory_order_relaxed));
    }
    write_bridges(out, bridges);
    for (const auto& row : kTableMetrics) {
        out.head(row.name, row.gauge, row.text);
        for (const TableGauges& each : tables) out.value(row.name, fmt::format("{{table=\"{}\"}}", each.name), each.*row.value);
    }
    for (const auto& row : kClassMetrics) {
        out.head(row.name, row.gauge, row.text);
        for (const auto& each : view.spool.classes) out.value(row.name, fmt::format("{{class=\"{}\"}}", each.name), each.*row.value);
    }
    out.head("events_dropped_total", false, "events lost to a limit, by reason");
    for (const auto& each : view.spool.classes) {
        for (const auto& reason : base::kDropReasonTable) {
            const auto count = each.dropped[static_cast<std::size_t>(reason.reason)];
            out.value("events_dropped_total", fmt::format("{{class=\"{}\",reason=\"{}\"}}", each.name, reason.name), count);
        }
    }
    for (const auto& row : kSpoolMetrics) {
        out.head(row.name, row.gauge, row.text);
        out.value(row.name, "", view.spool.*row.value);
    }
    for (const auto& row : kJournalMetrics) {
        out.head(row.name, row.gauge, row.text);
        out.value(row.name, "", view.journal.*row.value);
    }
    out.head("spool_degraded", true, "1 while the disk refuses writes and events wait in memory");
    out.value("spool_degraded", "", std::uint64_t{view.spool.degraded});
    for (const auto& row : kSessionMetrics) {
        out.head(row.name, row.gauge, row.text);
        out.value(row.name, "", (sessions.*row.value).load(std::memory_order_relaxed));
    }
    write_keys(out, keys);
    for (const auto& row : kUplinkMetrics) {
        out.head(row.name, false, row.text);
        out.value(row.name, "", main_uplink(view).*row.value);
        for (const UplinkView& each : view.uplinks) {
            if (each.id != config::kMainUplink) out.value(row.name, uplink_label(each), each.stats.*row.value);
        }
    }
    return out.take();
}

std::string rule_metrics_text(const std::vector<std::pair<std::string, RuleFigures>>& rules) {
    Writer out;
    for (const auto& row : kRuleMetrics) {
        if (rules.empty()) break;
        out.head(row.name, row.gauge, row.text);
        for (const auto& [id, figures] : rules) out.value(row.name, fmt::format("{{rule=\"{}\"}}", id), row.value(figures));
    }
    return out.take();
}

std::string metrics_page() {
    std::string out =
        "# Metrics\n\n`GET /metrics` of a gateway, in Prometheus' text format. This page is made from the tables in the code (`sluice_cli` "
        "test "
        "`metrics_page_is_up_to_date`).\n\n| metric | type | meaning |\n|---|---|---|\n";
    const auto row = [&out](std::string_view name, std::string_view labels, bool gauge, std::string_view text) {
        fmt::format_to(std::back_inserter(out), "| `sluice_{}{}` | {} | {} |\n", name, labels, gauge ? "gauge" : "counter", text);
    };
    row("uptime_seconds", "", true, "time since start");
    row("readings_in_total", "", false, "messages from outside, over the life of the data directory");
    row("readings_in_bytes_total", "", false, "their payloads");
    row("uplink_connected", "", true, "1 while signed in to the cloud");
    for (const auto& each : kClassMetrics) row(each.name, "{class}", each.gauge, each.text);
    row("events_dropped_total", "{class,reason}", false, "events lost to a limit, by reason (below)");
    for (const auto& each : kSpoolMetrics) row(each.name, "", each.gauge, each.text);
    for (const auto& each : kJournalMetrics) row(each.name, "", each.gauge, each.text);
    row("spool_degraded", "", true, "1 while the disk refuses writes and events wait in memory");
    for (const auto& each : kSessionMetrics) row(each.name, "", each.gauge, each.text);
    row("key_newest", "", true, kKeyNewestText);
    row("keys", "", true, kKeysText);
    row("key_older_bytes", "", true, kKeyOlderBytesText);
    row("key_older_items", "{holder}", true, kKeyOlderItemsText);
    for (const auto& each : kUplinkMetrics) row(each.name, "", false, each.text);
    row("bridge_connected", "{bridge}", true, "1 while messages pass");
    for (const auto& each : kBridgeMetrics) row(each.name, "{bridge}", each.gauge, each.text);
    row("bridge_dropped_total", "{bridge,direction,reason}", false, kBridgeDropText);
    for (const auto& each : kTableMetrics) row(each.name, "{table}", each.gauge, each.text);
    for (const auto& each : kSignInMetrics) row(each.name, "", each.gauge, each.text);
    for (const auto& each : kRuleMetrics) row(each.name, "{rule}", each.gauge, each.text);
    for (const auto& each : kShardMetrics) row(each.name, "{shard}", each.gauge, each.text);
    for (const auto& each : hub::kCounterTable) row(hub_name(each), "{shard}", each.gauge, each.text);
    out += "\n## Reasons for which something is dropped\n\n| reason | meaning |\n|---|---|\n";
    for (const auto& each : base::kDropReasonTable) fmt::format_to(std::back_inserter(out), "| `{}` | {} |\n", each.name, each.text);
    return out;
}

}  // namespace sluice::gateway
