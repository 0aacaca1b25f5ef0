#include "cli/top.hpp"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/local/http_client.hpp"
#include "cli/screen.hpp"
#include "cli/top_frame.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/signal_watch.hpp"
#include "manage/config/listen.hpp"

namespace sluice::cli {
namespace {

/// The busiest so many are looked at: a rate needs two looks at the same client.
constexpr unsigned kClientsMax = 1000;

struct TopOptions {
    std::string at = "127.0.0.1:8080";
    std::string order = "rate";
    std::string search;
    double interval_s = 1;
    unsigned rows = 0;
    bool once = false;
    bool json = false;
};

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    return out;
}

class Top final : private posix::Watcher {
public:
    Top(const TopOptions& options, config::HttpListener at, TopOrder order)
        : options_(options), at_(std::move(at)), loop_(clock_, std::chrono::microseconds(0)), signals_(loop_), http_(loop_) {
        view_.order = order;
        live_ = !options.once && !options.json && on_terminal();
    }

    int run() {
        std::optional<Screen> screen;
        if (live_) {
            screen.emplace();
            loop_.watch(STDIN_FILENO, 0x001 /* EPOLLIN */, *this, 0);
        }
        while (!done_ && !signals_.requested()) {
            if (!asking_ && loop_.now() >= next_) ask();
            loop_.run_once(asking_ ? std::nullopt : std::optional(next_));
        }
        if (live_) loop_.unwatch(STDIN_FILENO);
        screen.reset();
        if (!failure_.empty()) fmt::print(stderr, "top: error: {}\n", failure_);
        return failure_.empty() ? kExitGood : kExitFailed;
    }

private:
    void on_ready(std::uint32_t, std::uint64_t) override {
        char key = 0;
        if (::read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 3) {
            done_ = true;
        } else if (key == 's') {
            view_.order = static_cast<TopOrder>((static_cast<unsigned>(view_.order) + 1) % 4);
            next_ = loop_.now();
        }
    }

    void ask() {
        asking_ = true;
        http_.get(at_.host, at_.port, "/api/v1/status", [this](base::Result<local::HttpAnswer> status) {
            if (!good(status)) return;
            status_ = std::move(status->body);
            const auto path = fmt::format("/api/v1/clients?limit={}&sort=in&search={}", kClientsMax, escaped(options_.search));
            http_.get(at_.host, at_.port, path, [this](base::Result<local::HttpAnswer> clients) {
                if (good(clients)) show(clients->body);
            });
        });
    }

    /// The first failure ends the command; later ones are shown until the gateway is back.
    bool good(const base::Result<local::HttpAnswer>& answer) {
        if (answer && answer->status == 200) return true;
        const std::string what = answer ? fmt::format("answers with status {}", answer->status) : base::describe(answer.error());
        const std::string sentence = fmt::format("http://{}:{}: {}; --at names the gateway's listen.http", at_.host, at_.port, what);
        asking_ = false;
        next_ = loop_.now() + interval();
        if (!before_ || !live_) {
            failure_ = sentence;
            done_ = true;
        } else {
            fmt::print("\x1b[H{}\x1b[K\n", sentence);
            std::fflush(stdout);
        }
        return false;
    }

    void show(const std::string& clients) {
        asking_ = false;
        next_ = loop_.now() + interval();
        auto sample = read_top_sample(status_, clients, clock_.now());
        if (!sample) {
            failure_ = fmt::format("http://{}:{} does not answer as a gateway does", at_.host, at_.port);
            done_ = true;
            return;
        }
        if (before_) set_rates(*sample, *before_);
        // Without a terminal one frame is all, and it has rates only after a second look.
        const bool complete = live_ || before_.has_value();
        if (complete) draw(*sample);
        before_ = std::move(*sample);
        if (complete && (options_.once || (!live_ && !options_.json))) done_ = true;
    }

    void draw(const TopSample& sample) {
        if (options_.json) {
            fmt::print("{}\n", top_json(sample));
        } else {
            const Screen::Size size = live_ ? Screen::size() : Screen::Size{};
            view_.columns = size.columns;
            view_.lines = live_ ? size.lines - 1U : ~0U;
            if (options_.rows != 0) view_.lines = std::min<std::size_t>(view_.lines, options_.rows + 4U);
            const std::string frame = top_frame(sample, view_);
            if (live_) {
                Screen::paint(frame, fmt::format("by {} (s: other order, q: quit)", name(view_.order)));
            } else {
                fmt::print("{}", frame);
            }
        }
        if (std::fflush(stdout) != 0) done_ = true;  // whoever reads us has left
    }

    [[nodiscard]] std::chrono::nanoseconds interval() const {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(options_.interval_s));
    }

    const TopOptions& options_;
    config::HttpListener at_;
    posix::PosixClock clock_;
    posix::EventLoop loop_;
    posix::SignalWatch signals_;
    local::HttpClient http_;
    TopView view_;
    std::string status_;
    std::optional<TopSample> before_;
    base::Monotonic next_{};
    std::string failure_;
    bool live_ = false;
    bool asking_ = false;
    bool done_ = false;
};

int run(const TopOptions& options) {
    std::string_view at = options.at;
    if (at.starts_with("http://")) at.remove_prefix(7);
    while (at.ends_with('/')) at.remove_suffix(1);
    auto address = config::parse_host_port(at);
    if (!address) {
        fmt::print(stderr, "top: error: --at {}: expected HOST:PORT, the gateway's listen.http\n", options.at);
        return kExitUsage;
    }
    const auto order = parse_top_order(options.order);
    if (!order) {
        fmt::print(stderr, "top: error: --sort {}: expected rate, queue, name or newest\n", options.order);
        return kExitUsage;
    }
    return Top(options, std::move(*address), *order).run();
}

}  // namespace

void add_top(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<TopOptions>();
    CLI::App* command = app.add_subcommand("top", "The MQTT clients of a gateway, their rates and queues, live");
    command->add_option("--at", options->at, "the gateway's listen.http, HOST:PORT")->capture_default_str();
    command->add_option("--sort", options->order, "rate, queue, name or newest")->capture_default_str();
    command->add_option("--search", options->search, "only clients whose id has this in it");
    command->add_option("--interval", options->interval_s, "seconds between two looks")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    command->add_option("--rows", options->rows, "clients shown; 0: as many as fit");
    command->add_flag("--once", options->once, "one look at rates, then end; so it is without a terminal, too");
    command->add_flag("--json", options->json, "one JSON object a look, until Ctrl-C or --once");
    command->footer(
        "Of very many clients the 1,000 with the most messages are looked at. Keys: s another order, q quit.\n\n"
        "Examples:\n"
        "  sluice top\n"
        "  sluice top --at plant-7:8080 --sort queue\n"
        "  sluice top --once --json | jq '.clients[] | select(.queued > 0) | .client'");
    command->callback([options, &exit] { exit.code = run(*options); });
}

}  // namespace sluice::cli
