#include "cli/acl_command.hpp"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/exit.hpp"
#include "codec/json/writer.hpp"
#include "codec/mqtt/decode.hpp"
#include "data/topic.hpp"
#include "env/posix/file_system.hpp"
#include "gateway/access_rules.hpp"
#include "manage/config/load.hpp"

namespace sluice::cli {
namespace {

using access::Action;
using access::Identity;

struct Verdict {
    bool allowed = false;
    std::string reason;
    std::uint32_t line = 0;  ///< of the access list; 0: no row decided
    std::string topic{};     ///< of that row
};

AclAnswer wrong_use(std::string message) { return {.code = kExitUsage, .err = fmt::format("sluice acl test: {}\n", message)}; }

Verdict judge_row(const access::Acl& acl, const Identity& who, const access::Question& question, const std::string& file) {
    std::string scratch;
    const auto decision = acl.decide(who, question, acl.rows_for(who), scratch);
    Verdict out{.allowed = decision.allowed, .reason = {}};
    if (!decision.by_row()) {
        out.reason = "no row allows it";
        if (const auto* part = acl.allows_a_part(who, question))
            out.reason +=
                fmt::format("; {}:{} allows a part of it only, and a subscription is allowed as a whole or not at all", file, part->line);
        if (decision.unfit_name)
            out.reason += "; a row was passed over because a client id or name with `+`, `#` or `/` never fills a pattern";
        return out;
    }
    out.line = decision.row->line;
    out.topic = *decision.topic;
    if (decision.allowed) {
        out.reason = fmt::format("{} is allowed by this row", out.topic);
    } else if (decision.unfit_name) {
        out.reason = fmt::format(
            "{} cannot be filled in with this client id or name (it holds `+`, `#` or `/`), so the row forbids everything", out.topic);
    } else if (question.action == Action::subscribe && question.topic.find_first_of("+#") != std::string_view::npos) {
        out.reason = fmt::format("the filter reaches into {}, which this row forbids", out.topic);
    } else {
        out.reason = fmt::format("{} is forbidden by this row", out.topic);
    }
    return out;
}

/// nullopt: they come in; else why not.
std::optional<std::string> why_not_in(const gateway::AccessRules& rules, const AclQuestion& asked, const std::string& users) {
    if (asked.certificate) return std::nullopt;
    if (!asked.user || !rules.has_users) {
        if (rules.anonymous) return std::nullopt;
        return "who shows no credentials may not connect (auth.anonymous is false)";
    }
    const auto* user = rules.user(*asked.user);
    if (user == nullptr) return fmt::format("there is no such user in {}", users);
    if (user->disabled) return fmt::format("the user is disabled in {}", users);
    return std::nullopt;
}

Verdict judge(const config::GatewayConfig& config, const AclQuestion& asked, Action action, std::string_view topic) {
    if (action == Action::publish && topic.starts_with("$SYS/")) return {.allowed = false, .reason = "nobody may publish below $SYS/"};
    const auto rules = gateway::access_rules_of(config.auth, config.listen);
    if (rules == nullptr) return {.allowed = true, .reason = "without `auth` everybody may do everything"};
    if (auto why = why_not_in(*rules, asked, config.auth.users.value)) return {.allowed = false, .reason = std::move(*why)};
    if (!rules->acl) return {.allowed = true, .reason = "without `auth.acl` who may connect may do everything"};
    Identity who;
    if (asked.certificate) {
        who = {Identity::Kind::certificate, *asked.certificate};
    } else if (asked.user && rules->has_users) {
        who = {Identity::Kind::user, *asked.user};
    }
    return judge_row(*rules->acl, who, {action, asked.client, topic}, config.auth.acl.value);
}

std::string json_of(const Verdict& verdict, const std::string& file) {
    base::Bytes out;
    base::append(out, fmt::format(R"({{"allowed":{},"reason":)", verdict.allowed));
    json::append_string(out, verdict.reason);
    if (verdict.line != 0) {
        base::append(out, std::string_view(R"(,"file":)"));
        json::append_string(out, file);
        base::append(out, fmt::format(R"(,"line":{},"topic":)", verdict.line));
        json::append_string(out, verdict.topic);
    }
    base::append(out, std::string_view("}\n"));
    return std::string(base::as_text(out));
}

}  // namespace

AclAnswer test_acl(env::FileSystem& files, const AclQuestion& asked) {
    const Action action = asked.action == "publish" ? Action::publish : Action::subscribe;
    std::string_view topic = asked.topic;
    mqtt::SharedFilter shared{.group = {}, .filter = {}};
    if (action == Action::subscribe && mqtt::is_shared(topic)) {
        if (!mqtt::split_shared_filter(topic, shared)) return wrong_use(fmt::format("`{}` is no shared subscription", asked.topic));
        topic = shared.filter;
    }
    if (action == Action::publish ? !data::is_topic_name(topic) : !data::is_topic_filter(topic))
        return wrong_use(fmt::format("`{}` is no topic {}", asked.topic, action == Action::publish ? "name" : "filter"));
    const auto loaded = config::load_gateway(files, asked.config, nullptr);
    if (!loaded.is_valid()) return {.code = kExitUsage, .err = loaded.text()};
    const Verdict verdict = judge(loaded.config, asked, action, topic);
    AclAnswer out{.code = verdict.allowed ? kExitGood : kExitFailed};
    const std::string& file = loaded.config.auth.acl.value;
    if (asked.json) {
        out.out = json_of(verdict, file);
    } else {
        const std::string place = verdict.line == 0 ? std::string() : fmt::format("{}:{}: ", file, verdict.line);
        out.out = fmt::format("{}: {}{}\n", verdict.allowed ? "allowed" : "denied", place, verdict.reason);
    }
    return out;
}

void add_acl(CLI::App& app, Exit& exit) {
    auto* command = app.add_subcommand("acl", "the access list of a gateway");
    command->require_subcommand(1);
    command->footer(
        "Examples:\n"
        "  sluice acl test -c gateway.yaml --user ana publish sensors/ana/temperature\n"
        "  sluice acl test --help");
    auto* test = command->add_subcommand("test", "may this client do that, and which row says so?");
    auto asked = std::make_shared<AclQuestion>();
    test->add_option("-c,--config", asked->config, "the gateway's configuration (YAML)")->required();
    auto* user = test->add_option("--user", asked->user, "a user who has signed in; without --user and --cn: an anonymous client");
    test->add_option("--cn", asked->certificate, "the name in a client's certificate")->excludes(user);
    test->add_option("--client", asked->client, "the client id; without it rows with %c and client: are passed over");
    test->add_option("ACTION", asked->action, "publish or subscribe")->required()->check(CLI::IsMember({"publish", "subscribe"}));
    test->add_option("TOPIC", asked->topic, "a topic to publish to, or a filter to subscribe to")->required();
    test->add_flag("--json", asked->json, "print the answer as JSON");
    test->footer(
        "Examples:\n"
        "  sluice acl test -c gateway.yaml --user ana publish sensors/ana/temperature\n"
        "  sluice acl test -c gateway.yaml --cn pump-1 --client pump-1 subscribe 'commands/pump-1/#'\n"
        "  sluice acl test -c gateway.yaml subscribe '#' --json\n"
        "\n"
        "Exit: 0 allowed, 1 denied, 2 wrong use or configuration.");
    test->callback([asked, &exit] {
        posix::PosixFileSystem files;
        const AclAnswer answer = test_acl(files, *asked);
        std::fputs(answer.err.c_str(), stderr);
        std::fputs(answer.out.c_str(), stdout);
        exit.code = answer.code;
    });
}

}  // namespace sluice::cli
