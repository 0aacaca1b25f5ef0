// What it costs to make events durable: the spool, encrypted, beside a plain sequential write of the same events with fdatasync, and
// SQLite, on the same disk in turn. bench/spool.py drives it and adds other programs.
#include "flow/spool/spool.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <nats/nats.h>
#include <unistd.h>

#include "env/posix/clock.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "env/sqlite/database.hpp"
#include "gateway/spool_sealer.hpp"
#include "manage/identity/key_files.hpp"

namespace {

using namespace sluice;
using Clock = std::chrono::steady_clock;

struct Settings {
    std::string folder;
    std::size_t event_bytes = 100;
    double seconds = 3;
    std::uint64_t bytes_max = std::uint64_t{1} << 30;  ///< of one point on disk
    bool compress = false;
};

/// What one point did.
struct Measured {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;  ///< of the events
    std::uint64_t written = 0;
    std::uint64_t syncs = 0;
    std::uint64_t commits = 0;
    double seconds = 0;
    std::vector<double> commit_us{};
    std::vector<std::size_t> groups{};  ///< events of each commit
};

[[noreturn]] void fail(const std::string& what) {
    fmt::print(stderr, "sluice_spool_bench: {}\n", what);
    std::exit(1);
}

void must(const base::Status& done, const char* what) {
    if (!done) fail(fmt::format("{}: {}", what, base::describe(done.error())));
}

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// When a group is closed: after so many events, or so long after its first one.
struct Group {
    std::size_t events = 0;
    std::chrono::microseconds time{0};
    [[nodiscard]] bool full(std::size_t count, Clock::time_point begin) const {
        constexpr std::size_t kLookEvery = 32;  // a look at the clock costs as much as an event
        if (events != 0) return count >= events;
        return count % kLookEvery == 0 && Clock::now() - begin >= time;
    }
};

/// Events as sensors cause them: some hundred devices, times and numbers that go on, values with random digits. Made before the
/// measurement, used in turn.
class Events {
public:
    explicit Events(std::size_t bytes) {
        std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same in each run
        for (std::size_t i = 0; i < kCount; ++i) {
            std::string text = fmt::format(R"({{"device":"b3-press-{}","ts":{},"seq":{},"vibration":0.{:04},"note":")", random() % 300,
                                           1'764'384'000'123 + i * 3, 40'000 + i, random() % 10'000);
            // Half random, half always the same, so that all have the size that was asked for.
            while (text.size() + 2 < bytes) text += static_cast<char>(text.size() % 2 == 0 ? 'a' : 'a' + random() % 26);
            texts_.push_back(text + "\"}");
        }
    }
    const std::string& next() { return texts_[at_++ % kCount]; }

private:
    static constexpr std::size_t kCount = 1 << 14;
    std::vector<std::string> texts_;
    std::size_t at_ = 0;
};

/// Appends until the time is over, commits group by group.
Measured run(const Settings& settings, const Group& group, const std::function<void()>& append,
             const std::function<std::size_t()>& commit) {
    Measured out;
    const auto begin = Clock::now();
    while (since(begin) < settings.seconds && out.written < settings.bytes_max) {
        const auto first = Clock::now();
        std::size_t count = 0;
        do {
            append();
            ++count;
        } while (!group.full(count, first));
        const auto before = Clock::now();
        const std::size_t written = commit();
        out.commit_us.push_back(since(before) * 1e6);
        out.groups.push_back(count);
        out.written += written;
        out.events += count;
        out.bytes += count * settings.event_bytes;
        ++out.commits;
    }
    out.seconds = since(begin);
    return out;
}

Measured spool_point(const Settings& settings, const Group& group) {
    const std::string data = settings.folder + "/spool-data";
    std::filesystem::remove_all(data);
    std::filesystem::create_directories(data);
    posix::PosixFileSystem files;
    const posix::PosixClock clock;
    posix::PosixEntropy entropy;
    auto keys = identity::KeyFiles(files, data).open_or_create(entropy);
    if (!keys) fail("no key");
    gateway::SpoolSealer sealer(*keys);
    spool::Options options;
    options.directory = data + "/spool";
    options.bytes_max = 2 * settings.bytes_max;
    options.compress = settings.compress;
    options.classes = {{.name = "alert"}};
    auto spool = spool::Spool::open({files, clock, entropy, sealer}, options);
    if (!spool) fail("the spool does not open");
    Events events(settings.event_bytes - 4);
    const auto before = (*spool)->stats();
    std::uint64_t written = before.bytes_written;
    auto out = run(
        settings, group,
        [&] {
            const data::Event event{data::ClassIndex(0), "rule", base::from_ms(1'764'384'000'123), base::as_bytes(events.next())};
            if (!(*spool)->append(event)) fail("an event was not taken");
        },
        [&] {
            must((*spool)->commit(), "commit");
            const std::uint64_t now = (*spool)->stats().bytes_written;
            return static_cast<std::size_t>(now - std::exchange(written, now));
        });
    out.syncs = (*spool)->stats().syncs - before.syncs;
    must((*spool)->close(), "close");
    spool->reset();
    std::filesystem::remove_all(data);
    return out;
}

/// The bytes of as many events in the same portions: write, fdatasync, and nothing else.
Measured plain_point(const Settings& settings, const std::vector<std::size_t>& groups) {
    const std::string path = settings.folder + "/plain";
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) fail("plain: " + std::string(std::strerror(errno)));
    std::size_t largest = 0;
    for (const std::size_t each : groups) largest = std::max(largest, each * settings.event_bytes);
    posix::PosixEntropy entropy;
    base::Bytes bytes(largest);
    entropy.fill(bytes);
    Measured out;
    const auto begin = Clock::now();
    for (const std::size_t count : groups) {
        const std::size_t each = count * settings.event_bytes;
        const auto before = Clock::now();
        for (std::size_t done = 0; done < each;) {
            const ssize_t wrote = ::write(fd, bytes.data() + done, each - done);
            if (wrote < 0) fail("plain: " + std::string(std::strerror(errno)));
            done += static_cast<std::size_t>(wrote);
        }
        if (::fdatasync(fd) != 0) fail("plain: " + std::string(std::strerror(errno)));
        out.commit_us.push_back(since(before) * 1e6);
        out.written += each;
        out.events += count;
        ++out.commits;
        ++out.syncs;
    }
    out.seconds = since(begin);
    out.bytes = out.written;
    ::close(fd);
    ::unlink(path.c_str());
    return out;
}

Measured sqlite_point(const Settings& settings, const Group& group) {
    const std::string path = settings.folder + "/events.db";
    const auto remove = [&path] {
        for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
    };
    remove();
    Measured out;
    {
        auto database = sqlite::Database::open(path, sqlite::Database::Mode::read_write_create);
        if (!database) fail("SQLite does not open");
        must(database->execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                               "CREATE TABLE events (seq INTEGER PRIMARY KEY, rule TEXT, ts INTEGER, data BLOB);"),
             "SQLite");
        auto insert = database->prepare("INSERT INTO events (rule, ts, data) VALUES (?, ?, ?)");
        if (!insert) fail("SQLite: prepare");
        Events events(settings.event_bytes - 4);
        bool open = false;
        out = run(
            settings, group,
            [&] {
                if (!open) must(database->execute("BEGIN"), "SQLite");
                open = true;
                insert->bind(1, std::string_view("rule")).bind(2, std::int64_t{1'764'384'000'123}).bind(3, base::as_bytes(events.next()));
                must(insert->run(), "SQLite");
            },
            [&] {
                must(database->execute("COMMIT"), "SQLite");
                open = false;
                return std::size_t{0};
            });
        out.syncs = out.commits;
    }
    remove();
    return out;
}

double percentile(std::vector<double> values, double part) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}

std::string json(const Measured& point) {
    return fmt::format(
        R"({{"events":{},"seconds":{:.4f},"events_per_second":{:.0f},"disk_bytes_per_second":{:.0f},"written":{},"bytes":{},"commits":{},)"
        R"("syncs":{},"commit_us":{{"p50":{:.0f},"p99":{:.0f}}}}})",
        point.events, point.seconds, static_cast<double>(point.events) / point.seconds, static_cast<double>(point.written) / point.seconds,
        point.written, point.bytes, point.commits, point.syncs, percentile(point.commit_us, 0.5), percentile(point.commit_us, 0.99));
}

/// One round of one group: each writer once, one after the other.
void compare(const Settings& settings, const Group& group) {
    const Measured ours = spool_point(settings, group);
    const Measured plain = plain_point(settings, ours.groups);
    const Measured database = sqlite_point(settings, group);
    fmt::print("{{\"spool\":{},\"plain\":{},\"sqlite\":{}}}\n", json(ours), json(plain), json(database));
}

/// JetStream acknowledges what its store has: messages a second, so many at a time under way.
void nats(const Settings& settings, const std::string& url, std::size_t window) {
    natsConnection* connection = nullptr;
    jsCtx* js = nullptr;
    jsStreamConfig stream;
    jsStreamConfig_Init(&stream);
    const char* subjects[] = {"bench.events"};
    stream.Name = "BENCH";
    stream.Subjects = subjects;
    stream.SubjectsLen = 1;
    stream.Storage = js_FileStorage;
    jsErrCode code{};
    if (natsConnection_ConnectTo(&connection, url.c_str()) != NATS_OK || natsConnection_JetStream(&js, connection, nullptr) != NATS_OK ||
        js_AddStream(nullptr, js, &stream, nullptr, &code) != NATS_OK)
        fail("nats: no stream");
    Events events(settings.event_bytes);
    std::uint64_t count = 0;
    const auto begin = Clock::now();
    while (since(begin) < settings.seconds) {
        for (std::size_t i = 0; i < window; ++i, ++count) {
            const std::string& text = events.next();
            if (js_PublishAsync(js, subjects[0], text.data(), static_cast<int>(text.size()), nullptr) != NATS_OK) fail("nats: publish");
        }
        if (js_PublishAsyncComplete(js, nullptr) != NATS_OK) fail("nats: not acknowledged");
    }
    const double seconds = since(begin);
    fmt::print("{{\"events\":{},\"events_per_second\":{:.0f}}}\n", count, static_cast<double>(count) / seconds);
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
    nats_Close();
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"What it costs to make events durable. Each measurement is one line of JSON."};
    app.require_subcommand(1);
    Settings settings;
    Group group;
    std::string url;
    std::size_t window = 1000;
    std::uint64_t group_us = 0;
    app.add_option("--event-bytes", settings.event_bytes, "rule id and JSON of one event")->check(CLI::Range(90, 100'000));
    app.add_option("--seconds", settings.seconds, "of each writer");
    auto* of = app.add_subcommand("compare", "spool, plain write and SQLite in turn, in FOLDER");
    of->add_option("folder", settings.folder, "on the disk in question")->required();
    of->add_option("--events", group.events, "close a group after so many events");
    of->add_flag("--compress", settings.compress, "the spool does");
    of->add_option("--group-us", group_us, "or so many microseconds after its first one");
    auto* js = app.add_subcommand("nats", "publishes to a stream of a server at URL");
    js->add_option("url", url, "nats://HOST:PORT")->required();
    js->add_option("--window", window, "messages under way");
    CLI11_PARSE(app, argc, argv);
    group.time = std::chrono::microseconds(group_us);
    if (of->parsed() && (group.events == 0) == (group_us == 0)) fail("expected either --events or --group-us");
    if (of->parsed()) compare(settings, group);
    if (js->parsed()) nats(settings, url, window);
    return 0;
}
