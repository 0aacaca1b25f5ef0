#include "cli/demo/verdict.hpp"

#include <algorithm>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace sluice::demo {
namespace {

namespace json = boost::json;

std::uint64_t count_at(const json::object& object, std::string_view key) {
    const json::value* found = object.if_contains(key);
    if (found == nullptr || !found->is_number()) return 0;
    boost::system::error_code inexact;
    const auto value = found->to_number<std::uint64_t>(inexact);
    return inexact ? 0 : value;
}

const json::object* object_at(const json::object& object, std::string_view key) {
    const json::value* found = object.if_contains(key);
    return found != nullptr && found->is_object() ? &found->get_object() : nullptr;
}

Check alerts_check(std::string_view where, const load::AlertBook::Comparison& alerts) {
    std::string detail = fmt::format("{} of {}", alerts.exact, alerts.expected);
    if (alerts.missing != 0) detail += fmt::format(", {} missing", alerts.missing);
    if (alerts.repeated != 0) detail += fmt::format(", {} repeated", alerts.repeated);
    if (alerts.unexpected != 0) detail += fmt::format(", {} without a reason", alerts.unexpected);
    if (alerts.strange != 0) detail += fmt::format(", {} not understood", alerts.strange);
    if (alerts.ties != 0) detail += fmt::format(" ({} readings exactly on the threshold may go either way)", alerts.ties);
    return {fmt::format("alerts {} are exactly those of an independent evaluation", where), alerts.perfect(), detail};
}

Check spikes_check(std::string_view where, const load::AlertBook::Comparison& alerts) {
    return {fmt::format("every injected spike alerted once {}", where), alerts.spikes != 0 && alerts.spikes_exact == alerts.spikes,
            fmt::format("{} of {}", alerts.spikes_exact, alerts.spikes)};
}

Check ledger_check(const GatewayStatus& status) {
    bool good = !status.classes.empty();
    std::string detail;
    for (const auto& [name, row] : status.classes) {
        good = good && row.waiting == 0 && row.dropped == 0 && row.created == row.delivered;
        detail += fmt::format("{}{} {}/{}", detail.empty() ? "" : ", ", name, row.delivered, row.created);
    }
    return {"the ledger balances: created = delivered, nothing waits, nothing dropped", good, detail};
}

Check stored_check(const Facts& facts) {
    bool good = true;
    std::string detail;
    for (const auto& [name, row] : facts.status.classes) {
        const auto found = facts.stored.find(name);
        const ClassBook stored = found == facts.stored.end() ? ClassBook{} : found->second;
        good = good && stored.events == row.created && stored.repeated == 0 && stored.missing == 0;
        detail += fmt::format("{}{} {}/{}", detail.empty() ? "" : ", ", name, stored.events, row.created);
        if (stored.repeated != 0) detail += fmt::format(" ({} twice or out of order)", stored.repeated);
        if (stored.missing != 0) detail += fmt::format(" ({} missing)", stored.missing);
    }
    for (const auto& [name, stored] : facts.stored) good = good && facts.status.classes.contains(name);
    return {"the cloud holds each event of each class once, in order, without a hole", good, detail};
}

Check contents_check(const Facts& facts) {
    const auto stored = [&facts](std::string_view name) {
        const auto found = facts.stored.find(name);
        return found == facts.stored.end() ? 0 : found->second.events;
    };
    const auto& contents = facts.contents;
    const bool good = contents.averages_wrong == 0 && contents.samples_wrong == 0 && stored("aggregate") == contents.averages_expected &&
                      stored("sample") == contents.samples_expected;
    return {"averages of ten and samples of a thousand are those of the readings, all of them", good,
            fmt::format("{} of {} averages, {} of {} samples{}", stored("aggregate"), contents.averages_expected, stored("sample"),
                        contents.samples_expected,
                        good ? "" : fmt::format(", {} and {} wrong", contents.averages_wrong, contents.samples_wrong))};
}

std::string grouped(std::uint64_t value) {
    std::string digits = std::to_string(value);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), ",");
    return digits;
}

/// Cents matter for small sums only.
std::string dollars(double value) {
    return value < 100 ? fmt::format("${:.4f}", value) : "$" + grouped(static_cast<std::uint64_t>(value + 0.5));
}

}  // namespace

std::uint64_t GatewayStatus::created() const {
    std::uint64_t sum = 0;
    for (const auto& [name, row] : classes) sum += row.created;
    return sum;
}
std::uint64_t GatewayStatus::delivered() const {
    std::uint64_t sum = 0;
    for (const auto& [name, row] : classes) sum += row.delivered;
    return sum;
}
std::uint64_t GatewayStatus::waiting() const {
    std::uint64_t sum = 0;
    for (const auto& [name, row] : classes) sum += row.waiting;
    return sum;
}

base::Result<GatewayStatus> read_status(std::string_view body) {
    boost::system::error_code bad;
    const json::value parsed = json::parse(body, bad);
    if (bad || !parsed.is_object()) return base::Error{base::Errc::malformed};
    const json::object* ledger = object_at(parsed.get_object(), "ledger");
    const json::object* uplink = object_at(parsed.get_object(), "uplink");
    const json::object* events = ledger == nullptr ? nullptr : object_at(*ledger, "events");
    if (events == nullptr || uplink == nullptr) return base::Error{base::Errc::malformed};
    GatewayStatus out;
    out.readings_in = count_at(*ledger, "readings_in");
    out.bytes_in = count_at(*ledger, "bytes_in");
    out.bytes_up = count_at(*ledger, "bytes_up");
    out.messages_up = count_at(*uplink, "messages_sent");
    const json::value* connected = uplink->if_contains("connected");
    out.uplink_connected = connected != nullptr && connected->is_bool() && connected->get_bool();
    for (const auto& each : *events) {
        if (!each.value().is_object()) return base::Error{base::Errc::malformed};
        const json::object& row = each.value().get_object();
        ClassLedger& book = out.classes[std::string(each.key())];
        book = {count_at(row, "created"), count_at(row, "delivered"), count_at(row, "waiting"), 0};
        if (const json::object* dropped = object_at(row, "dropped")) {
            for (const auto& reason : *dropped) book.dropped += count_at(*dropped, reason.key());
        }
    }
    return out;
}

std::vector<Check> judge(const Facts& facts) {
    std::vector<Check> checks;
    checks.push_back(
        {"every reading was acknowledged and counted once",
         facts.sent != 0 && facts.acknowledged == facts.sent && facts.status.readings_in == facts.sent && facts.reconnects == 0,
         fmt::format("{} sent, {} acknowledged, {} counted by the gateway{}", facts.sent, facts.acknowledged, facts.status.readings_in,
                     facts.reconnects == 0 ? "" : fmt::format(", {} connections of sensors lost", facts.reconnects))});
    checks.push_back(spikes_check("at the gateway", facts.local));
    checks.push_back(spikes_check("in the cloud", facts.cloud));
    checks.push_back(alerts_check("at the gateway", facts.local));
    checks.push_back(alerts_check("in the cloud", facts.cloud));
    if (facts.missed_spikes != 0) {
        checks.push_back({"each spike passes the threshold", false, fmt::format("{} do not: a defect of the plant", facts.missed_spikes)});
    }
    checks.push_back({"the link to the cloud was cut and came back", facts.links_broken != 0 && facts.status.uplink_connected,
                      fmt::format("{:.0f} s without it, {} attempts in vain, up to {} events waited", facts.cut_seconds,
                                  facts.links_refused, facts.waiting_most)});
    checks.push_back(ledger_check(facts.status));
    checks.push_back(stored_check(facts));
    checks.push_back(contents_check(facts));
    return checks;
}

bool all_good(const std::vector<Check>& checks) {
    return std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.good; });
}

Cost cost_of(const Facts& facts, double price_per_million) {
    constexpr double kMonthSeconds = 30.0 * 24 * 3600;
    Cost cost;
    cost.sent_all = static_cast<double>(facts.status.readings_in) * price_per_million / 1e6;
    cost.sent = static_cast<double>(facts.status.delivered()) * price_per_million / 1e6;
    cost.sent_all_month = facts.readings_per_second * kMonthSeconds * price_per_million / 1e6;
    cost.batched = static_cast<double>(facts.status.messages_up) * price_per_million / 1e6;
    if (cost.sent_all == 0) return cost;
    cost.sent_month = cost.sent_all_month * cost.sent / cost.sent_all;
    cost.batched_month = cost.sent_all_month * cost.batched / cost.sent_all;
    return cost;
}

std::string report_text(const Facts& facts, const std::vector<Check>& checks, double price_per_million) {
    std::string out = fmt::format("\nLedger{:>26}{:>12}{:>10}{:>10}{:>15}\n", "created", "delivered", "waiting", "dropped", "in the cloud");
    for (const auto& [name, row] : facts.status.classes) {
        const auto stored = facts.stored.find(name);
        out += fmt::format("  {:<18}{:>12}{:>12}{:>10}{:>10}{:>15}\n", name, grouped(row.created), grouped(row.delivered),
                           grouped(row.waiting), grouped(row.dropped), grouped(stored == facts.stored.end() ? 0 : stored->second.events));
    }
    const Cost cost = cost_of(facts, price_per_million);
    out += fmt::format("\n{:<48}{:>14}{:>14}{:>14}\n", fmt::format("Cost at ${:.3f} per million messages", price_per_million), "messages",
                       "this run", "30 days");
    const auto line = [&](std::string_view what, std::uint64_t messages, double run, double month) {
        out += fmt::format("  {:<46}{:>14}{:>14}{:>14}\n", what, grouped(messages), dollars(run), dollars(month));
    };
    line("everything sent to the cloud", facts.status.readings_in, cost.sent_all, cost.sent_all_month);
    line("only the events, a message each", facts.status.delivered(), cost.sent, cost.sent_month);
    line("only the events, in batches, as they were sent", facts.status.messages_up, cost.batched, cost.batched_month);
    const auto saved = [&](double part) { return cost.sent_all == 0 ? 0 : 100.0 * (1.0 - part / cost.sent_all); };
    out += fmt::format("  saved: {:.1f} % by sending events only, {:.1f} % with batches; bytes in {}, bytes up {}\n", saved(cost.sent),
                       saved(cost.batched), grouped(facts.status.bytes_in), grouped(facts.status.bytes_up));
    out += "\nChecks\n";
    for (const Check& check : checks) out += fmt::format("  {:<6}{}: {}\n", check.good ? "ok" : "FAILED", check.name, check.detail);
    out += all_good(checks) ? "\nNothing was lost, nothing came twice.\n" : "\nNot all of that is true: see FAILED above.\n";
    return out;
}

std::string report_json(const Facts& facts, const std::vector<Check>& checks, double price_per_million) {
    const auto quoted = [](std::string_view text) {
        std::string out = "\"";
        for (const char c : text) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
        return out + '"';
    };
    std::string out = fmt::format(R"({{"ok":{},"sensors":{},"sent":{},"acknowledged":{},"checks":[)", all_good(checks), facts.sensors,
                                  facts.sent, facts.acknowledged);
    for (const Check& check : checks) {
        out += fmt::format(R"({}{{"name":{},"ok":{},"detail":{}}})", &check == checks.data() ? "" : ",", quoted(check.name), check.good,
                           quoted(check.detail));
    }
    out += R"(],"ledger":{)";
    bool first = true;
    for (const auto& [name, row] : facts.status.classes) {
        const auto stored = facts.stored.find(name);
        out +=
            fmt::format(R"({}{}:{{"created":{},"delivered":{},"waiting":{},"dropped":{},"in_cloud":{}}})", first ? "" : ",", quoted(name),
                        row.created, row.delivered, row.waiting, row.dropped, stored == facts.stored.end() ? 0 : stored->second.events);
        first = false;
    }
    const Cost cost = cost_of(facts, price_per_million);
    out += fmt::format(R"(}},"cost":{{"price_per_million":{},"sent_all":{},"sent":{},"batched":{},"saved":{},)"
                       R"("sent_all_month":{},"sent_month":{},"batched_month":{}}}}})",
                       price_per_million, cost.sent_all, cost.sent, cost.batched, cost.sent_all - cost.sent, cost.sent_all_month,
                       cost.sent_month, cost.batched_month);
    return out + "\n";
}

}  // namespace sluice::demo
