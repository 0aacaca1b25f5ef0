#include "cli/local/tiers.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "env/posix/tcp.hpp"

namespace sluice::local {
namespace {

constexpr std::size_t kLastWordsBytes = 2000;

/// Takes no connection: only the bind matters.
class Nobody final : public posix::TcpListener::Sink {
public:
    void on_accept(posix::DetachedConnection&& connection) override { ::close(connection.fd); }
};

}  // namespace

std::string_view example_rules() {
    return R"(rules:
  - id: vibration-anomaly
    sql: |
      SELECT device, ts, seq, vibration, zscore(vibration, 100) OVER (PARTITION BY device) AS z
      FROM 'sensors/+/vibration'
      WHERE abs(z) > 3
    to:
      - topic: alerts/{device}
      - cloud: alert
  - id: vibration-average
    sql: |
      SELECT device, avg(vibration) AS average_vibration, count(*) AS samples
      FROM 'sensors/+/vibration' GROUP BY device, COUNTWINDOW(10)
    to: [{cloud: aggregate}]
  - id: raw-sample
    sql: SELECT * FROM 'sensors/+/vibration' WHERE every(1000) OVER (PARTITION BY device)
    to: [{cloud: sample}]
)";
}

base::Result<TempFolder> TempFolder::make(std::string_view prefix) {
    const char* parent = std::getenv("TMPDIR");
    std::string path = fmt::format("{}/{}-XXXXXX", parent != nullptr && *parent != '\0' ? parent : "/tmp", prefix);
    if (::mkdtemp(path.data()) == nullptr) return base::from_errno(errno);
    return TempFolder(std::move(path));
}

TempFolder::~TempFolder() {
    if (path_.empty() || keep_) return;
    std::error_code ignored;  // a folder that stays behind in /tmp is a nuisance, not a failure
    std::filesystem::remove_all(path_, ignored);
}

std::uint16_t free_port(posix::EventLoop& loop, std::uint16_t preferred) {
    Nobody nobody;
    if (preferred != 0) {
        if (const auto listener = posix::TcpListener::open(loop, nobody, "127.0.0.1", preferred)) return preferred;
    }
    const auto listener = posix::TcpListener::open(loop, nobody, "127.0.0.1", 0);
    return listener ? (*listener)->port() : std::uint16_t{0};
}

std::string gateway_config(std::string_view id, const TierPorts& ports, std::uint16_t uplink_port, double price_per_million) {
    std::string out = fmt::format(
        "gateway:\n  id: {}\n  data: ./gateway\nlisten:\n  mqtt:\n    - tcp://127.0.0.1:{}\n  http: 127.0.0.1:{}\n"
        "cost: {{price_per_million: {}}}\n{}",
        id, ports.mqtt, ports.http, price_per_million, example_rules());
    if (uplink_port != 0) out += fmt::format("uplink:\n  url: sluice://127.0.0.1:{}\n", uplink_port);
    return out;
}

std::string cloud_config(std::string_view id, const TierPorts& ports) {
    return fmt::format("cloud:\n  id: {}\n  data: ./cloud\nlisten:\n  mqtt:\n    - tcp://127.0.0.1:{}\n  http: 127.0.0.1:{}\n", id,
                       ports.mqtt, ports.http);
}

base::Result<Tier> Tier::start(const std::string& folder, const std::string& tier, std::string_view config, const TierPorts& ports) {
    const std::string file = folder + "/" + tier + ".yaml";
    const std::string log = folder + "/" + tier + ".log";
    std::ofstream out(file, std::ios::trunc);
    out << config;
    out.close();
    if (!out) return base::from_errno(errno);
    std::error_code unknown;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", unknown);
    auto process = posix::ChildProcess::start(
        {.program = unknown ? "/proc/self/exe" : self.string(), .arguments = {tier, "-c", file}, .log_file = log});
    if (!process) return process.error();
    return Tier(std::move(*process), ports, log);
}

std::string Tier::last_words() const {
    std::ifstream file(log_);
    std::ostringstream text;
    text << file.rdbuf();
    std::string all = text.str();
    if (all.size() <= kLastWordsBytes) return all;
    const auto line = all.find('\n', all.size() - kLastWordsBytes);
    return all.substr(line == std::string::npos ? all.size() - kLastWordsBytes : line + 1);
}

}  // namespace sluice::local
