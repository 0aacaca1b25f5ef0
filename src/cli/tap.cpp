#include "cli/tap.hpp"

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/load/target.hpp"
#include "cli/mqtt_link.hpp"
#include "cli/printable.hpp"
#include "codec/csv/csv_reader.hpp"
#include "codec/mqtt/decode.hpp"
#include "data/topic.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/signal_watch.hpp"

namespace sluice::cli {
namespace {

constexpr std::size_t kHexBytesMax = 32;

struct TapOptions {
    std::string at = "mqtt://127.0.0.1:1883";
    std::vector<std::string> filters;
    std::string user;
    std::string password_file;
    std::uint64_t count = 0;
    int qos = 0;
    bool json = false;
};

/// One run of the command.
class Tap final : private MqttLinkUser {
public:
    Tap(const TapOptions& options, MqttLinkOptions link)
        : options_(options), loop_(clock_, std::chrono::microseconds(0)), signals_(loop_), link_(loop_, std::move(link), *this) {
        for (const auto& filter : options_.filters)
            subscriptions_.push_back({.filter = filter, .qos = static_cast<mqtt::Qos>(options_.qos)});
    }

    int run() {
        link_.open();
        while (!done_) {
            loop_.run_once(std::nullopt);
            if (std::fflush(stdout) != 0) done_ = true;  // whoever reads us has left
            if (link_.failure()) {
                fmt::print(stderr, "tap: error: {}\n", *link_.failure());
                return kExitFailed;
            }
            if (signals_.requested()) done_ = true;
        }
        link_.close();
        while (!link_.closed() && !signals_.impatient()) loop_.run_once(loop_.now() + std::chrono::milliseconds(100));
        return code_;
    }

private:
    void on_up() override {
        if (!link_.subscribe(subscriptions_)) {
            fmt::print(stderr, "tap: error: {} does not take that many filters\n", link_.address());
            code_ = kExitFailed;
            done_ = true;
        }
    }
    void on_acked(mqtt::PacketId, base::ByteView codes) override {
        for (std::size_t i = 0; i < codes.size() && i < options_.filters.size(); ++i) {
            const auto code = static_cast<mqtt::ReasonCode>(codes[i]);
            if (!mqtt::is_error(code)) continue;
            fmt::print(stderr, "tap: error: {} refuses the filter {}: {}\n", link_.address(), options_.filters[i], mqtt::name(code));
            code_ = kExitFailed;
            done_ = true;
        }
        if (!done_) fmt::print(stderr, "tap: listening at {}\n", link_.address());
    }
    void on_message(const mqtt::Publish& message) override {
        if (done_) return;
        const auto now = clock_.wall().time;
        const auto line = options_.json ? tap_json(message, now) : tap_line(message, now);
        if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() || std::fputc('\n', stdout) == EOF) done_ = true;
        if (options_.count != 0 && ++seen_ == options_.count) done_ = true;
    }
    void on_pong() override {}
    void on_down(const std::string& why) override { fmt::print(stderr, "tap: {}; trying again\n", why); }

    const TapOptions& options_;
    posix::PosixClock clock_;
    posix::EventLoop loop_;
    posix::SignalWatch signals_;
    MqttLink link_;
    std::vector<mqtt::Subscription> subscriptions_;
    std::uint64_t seen_ = 0;
    int code_ = kExitGood;
    bool done_ = false;
};

bool valid_filter(const std::string& filter) {
    mqtt::SharedFilter shared;
    return mqtt::is_shared(filter) ? mqtt::split_shared_filter(filter, shared) : data::is_topic_filter(filter);
}

int run(const TapOptions& options) {
    const auto target = load::parse_target(options.at);
    if (!target) {
        fmt::print(stderr, "tap: error: --at {}: expected mqtt://HOST:PORT\n", options.at);
        return kExitUsage;
    }
    for (const auto& filter : options.filters) {
        if (valid_filter(filter)) continue;
        fmt::print(stderr, "tap: error: '{}' is no topic filter: + stands for one whole level, # for all the rest at the end\n", filter);
        return kExitUsage;
    }
    MqttLinkOptions link{.target = *target, .client_id = make_client_id("tap"), .user = {}, .password = {}, .patience = {}};
    if (!options.user.empty()) link.user = options.user;
    if (!options.password_file.empty()) {
        auto password = read_password(options.password_file);
        if (!password) {
            fmt::print(stderr, "tap: error: --password-file {}: {}\n", options.password_file, base::describe(password.error()));
            return kExitUsage;
        }
        link.password = std::move(*password);
    }
    return Tap(options, std::move(link)).run();
}

std::string hex_start(base::ByteView bytes) {
    std::string out = fmt::format("({} bytes)", bytes.size());
    for (std::size_t i = 0; i < bytes.size() && i < kHexBytesMax; ++i) out += fmt::format(" {:02x}", bytes[i]);
    if (bytes.size() > kHexBytesMax) out += " …";
    return out;
}

/// RFC 4648 §4.
std::string base64(base::ByteView bytes) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t left = bytes.size() - i;
        const std::uint32_t word = static_cast<std::uint32_t>(bytes[i] << 16) |
                                   (left > 1 ? static_cast<std::uint32_t>(bytes[i + 1] << 8) : 0U) | (left > 2 ? bytes[i + 2] : 0U);
        out.push_back(kDigits[word >> 18]);
        out.push_back(kDigits[(word >> 12) & 63U]);
        out.push_back(left > 1 ? kDigits[(word >> 6) & 63U] : '=');
        out.push_back(left > 2 ? kDigits[word & 63U] : '=');
    }
    return out;
}

bool is_text(base::ByteView payload) { return data::is_mqtt_utf8(base::as_text(payload)); }

}  // namespace

std::string tap_line(const mqtt::Publish& message, base::WallTime arrived) {
    const auto ms = base::to_ms(arrived);
    const auto in_day = ((ms % 86'400'000) + 86'400'000) % 86'400'000;
    return fmt::format("{:02}:{:02}:{:02}.{:03} {}{} {}", in_day / 3'600'000, in_day / 60'000 % 60, in_day / 1000 % 60, in_day % 1000,
                       printable(message.topic), message.retain ? " (retained)" : "",
                       is_text(message.payload) ? printable(base::as_text(message.payload)) : hex_start(message.payload));
}

std::string tap_json(const mqtt::Publish& message, base::WallTime arrived) {
    base::Bytes out;
    base::append(out, fmt::format("{{\"ts\":{},\"topic\":", base::to_ms(arrived)));
    csv::append_json_string(out, message.topic);
    base::append(out, fmt::format(",\"qos\":{},\"retain\":{},", static_cast<unsigned>(message.qos), message.retain));
    if (is_text(message.payload)) {
        base::append(out, "\"payload\":");
        csv::append_json_string(out, base::as_text(message.payload));
    } else {
        base::append(out, fmt::format("\"payload_base64\":\"{}\"", base64(message.payload)));
    }
    out.push_back('}');
    return std::string(base::as_text(out));
}

void add_tap(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<TapOptions>();
    CLI::App* command = app.add_subcommand("tap", "A live view of topics");
    command->add_option("--at", options->at, "the gateway or broker, mqtt://HOST:PORT")->capture_default_str();
    command->add_option("FILTER", options->filters, "topic filters: + stands for one level, # for all the rest")->required();
    command->add_option("-n,--count", options->count, "end after so many messages; 0: until Ctrl-C")->capture_default_str();
    command->add_option("--qos", options->qos, "0 or 1")->check(CLI::Range(0, 1))->capture_default_str();
    command->add_option("--user", options->user, "user name");
    command->add_option("--password-file", options->password_file, "file whose first line is the password");
    command->add_flag("--json", options->json, "one JSON object a line: ts (ms), topic, qos, retain, payload (or payload_base64)");
    command->footer(
        "Times are UTC, of arrival here. A lost connection is tried again until Ctrl-C.\n\n"
        "Examples:\n"
        "  sluice tap 'alerts/#'\n"
        "  sluice tap --at mqtt://plant-7:1883 'sensors/+/vibration' -n 10\n"
        "  sluice tap --json 'sensors/#' | jq -r '.payload | fromjson | .vibration'");
    command->callback([options, &exit] { exit.code = run(*options); });
}

}  // namespace sluice::cli
