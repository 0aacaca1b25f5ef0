#include "cli/tap.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/address_options.hpp"
#include "cli/mqtt_link.hpp"
#include "cli/payload_decoder.hpp"
#include "cli/payload_query.hpp"
#include "cli/screen.hpp"
#include "cli/tap_format.hpp"
#include "cli/topic_rates.hpp"
#include "codec/mqtt/decode.hpp"
#include "data/topic.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/signal_watch.hpp"

namespace sluice::cli {
namespace {

/// After the server has answered that it read our subscription, retained messages have come, or come now.
constexpr std::chrono::milliseconds kRetainedQuiet{500};

struct TapOptions {
    AddressOptions at{.flag = "--at"};
    std::vector<std::string> filters;
    std::string decode = "auto";
    std::string where;
    std::string fields;
    std::string retained = "yes";
    std::string order = "rate";
    std::uint64_t count = 0;
    double seconds = 0;
    double interval_s = 1;
    int qos = 0;
    bool json = false;
    bool verbose = false;
    bool rate = false;
};

std::chrono::nanoseconds from_seconds(double value) { return std::chrono::nanoseconds(static_cast<std::int64_t>(value * 1e9)); }

/// One run of the command.
class Tap final : private MqttLinkUser, private posix::Watcher {
public:
    Tap(const TapOptions& options, MqttLinkOptions link, PayloadDecoder decoder, std::unique_ptr<PayloadQuery> query, RateOrder order)
        : options_(options),
          decoder_(std::move(decoder)),
          query_(std::move(query)),
          loop_(clock_, std::chrono::microseconds(0)),
          signals_(loop_),
          link_(loop_, std::move(link), *this),
          order_(order) {
        const bool none = options_.retained == "no";
        for (const auto& filter : options_.filters) {
            subscriptions_.push_back({.filter = filter,
                                      .qos = static_cast<mqtt::Qos>(options_.qos),
                                      .retain_handling = none ? mqtt::RetainHandling::do_not_send : mqtt::RetainHandling::send});
        }
    }

    int run() {
        link_.open();
        while (!done_ && !link_.failure()) {
            loop_.run_once(wake_at());
            on_time(clock_.now());
            if (std::fflush(stdout) != 0 || signals_.requested()) done_ = true;  // whoever reads us has left, or who started us wants it
        }
        if (link_.failure()) code_ = kExitFailed;
        if (screen_) loop_.unwatch(STDIN_FILENO);
        screen_.reset();
        if (link_.failure()) fmt::print(stderr, "tap: error: {}\n", *link_.failure());
        if (unreadable_ != 0) {
            fmt::print(stderr, "tap: note: {} messages could not be asked for --where or --fields: they are no {}\n", unreadable_,
                       decoder_.gives_values() ? options_.decode : "text");
        }
        link_.close();
        while (!link_.failure() && !link_.closed() && !signals_.impatient()) loop_.run_once(loop_.now() + std::chrono::milliseconds(100));
        return code_;
    }

private:
    void on_up() override {
        if (!link_.subscribe(subscriptions_)) return fail(fmt::format("{} does not take that many filters", link_.address()));
        if (options_.retained == "only") link_.ping();
        if (end_at_ || rates_) return;  // connected again
        const auto now = clock_.now();
        if (options_.seconds > 0) end_at_ = now + from_seconds(options_.seconds);
        if (!options_.rate) return;
        rates_.emplace(now);
        next_look_ = now + from_seconds(options_.interval_s);
        if (options_.json || !on_terminal()) return;
        screen_.emplace();
        loop_.watch(STDIN_FILENO, 0x001 /* EPOLLIN */, *this, 0);
    }

    void on_acked(mqtt::PacketId, base::ByteView codes) override {
        for (std::size_t i = 0; i < codes.size() && i < options_.filters.size(); ++i) {
            const auto code = static_cast<mqtt::ReasonCode>(codes[i]);
            if (mqtt::is_error(code)) {
                fail(fmt::format("{} refuses the filter {}: {}", link_.address(), options_.filters[i], mqtt::name(code)));
            }
        }
        if (!done_ && !screen_) fmt::print(stderr, "tap: listening at {}\n", link_.address());
    }

    void on_message(const mqtt::Publish& message) override {
        if (done_ || (options_.retained == "no" && message.retain) || (options_.retained == "only" && !message.retain)) return;
        last_message_ = clock_.now();
        const auto wall = clock_.wall().time;
        std::optional<std::string> document;
        if (query_ || (options_.json && decoder_.gives_values())) document = decoder_.document(message.payload);
        std::optional<std::string_view> chosen;
        if (query_) {
            if (!document) {
                ++unreadable_;
                return;
            }
            chosen = query_->ask(message.topic, *document, wall, last_message_);
            if (!chosen) return;
        }
        const bool fields = query_ && query_->chooses_fields();
        const std::string shown = options_.json && !rates_ ? std::string()
                                  : fields                 ? printable_json(*chosen)
                                                           : decoder_.show(message.payload);
        if (rates_) {
            rates_->note(message.topic, message.payload.size(), shown, last_message_);
        } else {
            TapMessage one{.packet = message, .arrived = wall, .shown = shown, .verbose = options_.verbose};
            if (fields) {
                one.value = chosen;
            } else if (decoder_.gives_values() && document) {
                one.value = *document;
            }
            print(options_.json ? tap_json(one) : tap_line(one));
        }
        if (options_.count != 0 && ++seen_ == options_.count) finish();
    }

    void on_pong() override {
        if (options_.retained == "only") all_read_ = true;
    }
    void on_down(const std::string& why) override {
        all_read_ = false;
        if (!screen_) fmt::print(stderr, "tap: {}; trying again\n", why);
    }

    /// A key, while there is a screen.
    void on_ready(std::uint32_t, std::uint64_t) override {
        char key = 0;
        if (::read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 3) {
            done_ = true;
        } else if (key == 's') {
            order_ = static_cast<RateOrder>((static_cast<unsigned>(order_) + 1) % 4);
            draw();
        }
    }

    /// A document as the decoder shows one.
    std::string printable_json(std::string_view json) { return PayloadDecoder::parse("auto")->show(base::as_bytes(json)); }

    void on_time(base::Monotonic now) {
        if (done_) return;
        if (end_at_ && now >= *end_at_) return finish();
        if (rates_ && now >= next_look_) {
            rates_->look(now);
            next_look_ = now + from_seconds(options_.interval_s);
            draw();
        }
        if (all_read_ && now >= last_message_ + kRetainedQuiet) {
            if (quiet_since_) {
                finish();
            } else {  // one more look at the socket
                quiet_since_ = true;
                last_message_ = now;
            }
        }
    }

    [[nodiscard]] std::optional<base::Monotonic> wake_at() const {
        std::optional<base::Monotonic> at;
        const auto also = [&at](base::Monotonic when) { at = at ? std::min(*at, when) : when; };
        if (rates_) also(next_look_);
        if (end_at_) also(*end_at_);
        if (all_read_) also(last_message_ + kRetainedQuiet);
        return at;
    }

    void draw() {
        if (options_.json) return print(rates_->json(order_));
        if (!screen_) {
            // Frame below frame, so that it can be kept in a file.
            return print(rates_->frame({.order = order_, .columns = Screen::Size{}.columns}));
        }
        const Screen::Size size = Screen::size();
        Screen::paint(rates_->frame({.order = order_, .columns = size.columns, .lines = size.lines - 1}),
                      fmt::format("by {} (s: other order, q: quit)", name(order_)));
    }

    /// As wished: what was seen last is shown.
    void finish() {
        if (done_) return;
        done_ = true;
        if (!rates_ || screen_) return;
        rates_->look(clock_.now());
        draw();
    }

    void print(const std::string& line) {
        if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() || std::fputc('\n', stdout) == EOF) done_ = true;
    }

    void fail(const std::string& why) {
        fmt::print(stderr, "tap: error: {}\n", why);
        code_ = kExitFailed;
        done_ = true;
    }

    const TapOptions& options_;
    PayloadDecoder decoder_;
    std::unique_ptr<PayloadQuery> query_;
    posix::PosixClock clock_;
    posix::EventLoop loop_;
    posix::SignalWatch signals_;
    MqttLink link_;
    std::vector<mqtt::Subscription> subscriptions_;
    std::optional<TopicRates> rates_;
    std::optional<Screen> screen_;
    RateOrder order_;
    base::Monotonic next_look_{};
    base::Monotonic last_message_{};
    std::optional<base::Monotonic> end_at_;
    std::uint64_t seen_ = 0;
    std::uint64_t unreadable_ = 0;
    int code_ = kExitGood;
    bool all_read_ = false;  // the server has read our subscription
    bool quiet_since_ = false;
    bool done_ = false;
};

/// The topic filter of a filter that may be shared; nothing: not one.
std::optional<std::string> topic_filter_of(const std::string& filter) {
    mqtt::SharedFilter shared;
    if (!mqtt::is_shared(filter)) return data::is_topic_filter(filter) ? std::optional(filter) : std::nullopt;
    return mqtt::split_shared_filter(filter, shared) ? std::optional(std::string(shared.filter)) : std::nullopt;
}

int usage(const std::string& why) {
    fmt::print(stderr, "tap: error: {}\n", why);
    return kExitUsage;
}

int run(const TapOptions& options) {
    MqttLinkOptions link{.to = {}, .client_id = make_client_id("tap"), .patience = {}};
    std::string problem;
    if (!make_endpoint(options.at, link.to, problem)) return usage(problem);
    std::vector<std::string> filters;
    for (const auto& filter : options.filters) {
        auto plain = topic_filter_of(filter);
        if (!plain)
            return usage(fmt::format("'{}' is no topic filter: + stands for one whole level, # for all the rest at the end", filter));
        filters.push_back(*std::move(plain));
    }
    auto decoder = PayloadDecoder::parse(options.decode);
    if (!decoder) return usage(fmt::format("--decode {}: expected {}", options.decode, kDecodings));
    const auto order = parse_rate_order(options.order);
    if (!order) return usage(fmt::format("--sort {}: expected rate, bytes, topic or recent", options.order));
    std::unique_ptr<PayloadQuery> query;
    if (!options.where.empty() || !options.fields.empty()) {
        query = PayloadQuery::make({.filters = filters, .where = options.where, .fields = options.fields}, problem);
        if (!query) return usage(problem);
    }
    return Tap(options, std::move(link), *std::move(decoder), std::move(query), *order).run();
}

}  // namespace

void add_tap(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<TapOptions>();
    CLI::App* command = app.add_subcommand("tap", "A live view of topics: messages, decoded and filtered, or their rates");
    command->add_option("FILTER", options->filters, "topic filters: + stands for one level, # for all the rest")->required();
    add_address_options(*command, options->at);
    command->add_option("--qos", options->qos, "0, 1 or 2")->check(CLI::Range(0, 2))->capture_default_str();
    command->add_option("--decode", options->decode, std::string(kDecodings))->capture_default_str();
    command->add_option("--where", options->where,
                        "only messages for which this SQL is true; a payload that is one value, not an object, is called value");
    command->add_option("--fields", options->fields, "show only this, as between SELECT and FROM");
    command
        ->add_option("--retained", options->retained,
                     "yes: also retained messages, no: none, only: nothing else, and end when all have come")
        ->check(CLI::IsMember({"yes", "no", "only"}))
        ->capture_default_str();
    command->add_flag("--rate", options->rate, "a table of topics: messages and bytes a second, last value, its age");
    command->add_option("--sort", options->order, "with --rate: rate, bytes, topic or recent")->capture_default_str();
    command->add_option("--interval", options->interval_s, "with --rate: seconds between two looks")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    command->add_option("-n,--count", options->count, "end after so many messages; 0: until Ctrl-C")->capture_default_str();
    command->add_option("--seconds", options->seconds, "end after so long; 0: until Ctrl-C")
        ->check(CLI::Range(0.0, 4e6))
        ->capture_default_str();
    command->add_flag("-v,--verbose", options->verbose, "also QoS and the properties of MQTT 5");
    command->add_flag(
        "--json", options->json,
        "one JSON object a line: ts (ms), topic, qos, retain, payload (or payload_base64), value (with --fields, or a --decode "
        "that gives one); with --rate one a look");
    command->footer(
        "Times are UTC, of arrival here. A lost connection is tried again until Ctrl-C. --where and --fields take the SQL of rules, "
        "statistics\n"
        "included. Keys with --rate on a terminal: s another order, q quit.\n\n"
        "Examples:\n"
        "  sluice tap 'alerts/#'\n"
        "  sluice tap --at mqtt://plant-7:1883 'sensors/+/vibration' -n 10\n"
        "  sluice tap 'sensors/#' --where 'vibration > 3' --fields 'device, vibration'\n"
        "  sluice tap 'sensors/#' --where 'abs(zscore(vibration, 100) OVER (PARTITION BY device)) > 4'\n"
        "  sluice tap 'meters/+/raw' --decode f32le\n"
        "  sluice tap 'config/#' --retained only --decode pretty\n"
        "  sluice tap '#' --rate\n"
        "  sluice tap --at mqtts://plant-7:8883 --ca ca.crt --user ana --password-file ana.pw 'sensors/#' '$SYS/#'\n"
        "  sluice tap --json 'sensors/#' | jq -r '.payload | fromjson | .vibration'");
    command->callback([options, &exit] { exit.code = run(*options); });
}

}  // namespace sluice::cli
