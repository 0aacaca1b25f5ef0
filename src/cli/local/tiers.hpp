// A gateway and a cloud as processes of this very program, in a folder of their own, on free ports of the loopback interface.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "env/posix/child_process.hpp"
#include "env/posix/event_loop.hpp"

namespace sluice::local {

/// The three rules of the tutorial: an alert beyond three deviations, averages of ten readings, each thousandth reading as it came.
[[nodiscard]] std::string_view example_rules();

/// A new folder under $TMPDIR (or /tmp), mode 0700, gone with this object unless keep() was called.
class TempFolder {
public:
    static base::Result<TempFolder> make(std::string_view prefix);
    TempFolder(TempFolder&& other) noexcept : path_(std::move(other.path_)), keep_(other.keep_) { other.path_.clear(); }
    TempFolder& operator=(TempFolder&&) = delete;
    ~TempFolder();
    [[nodiscard]] const std::string& path() const { return path_; }
    void keep() { keep_ = true; }

private:
    explicit TempFolder(std::string path) : path_(std::move(path)) {}
    std::string path_;
    bool keep_ = false;
};

/// The preferred port of 127.0.0.1 if it is free (0: none preferred), else one that the system chooses; free a moment ago, that is.
[[nodiscard]] std::uint16_t free_port(posix::EventLoop& loop, std::uint16_t preferred = 0);

struct TierPorts {
    std::uint16_t mqtt = 0;
    std::uint16_t http = 0;
};

/// `uplink_port` 0: no uplink.
[[nodiscard]] std::string gateway_config(std::string_view id, const TierPorts& ports, std::uint16_t uplink_port, double price_per_million);
[[nodiscard]] std::string cloud_config(std::string_view id, const TierPorts& ports);

/// A daemon of this program: `sluice <tier> -c <folder>/<tier>.yaml`, its output in <folder>/<tier>.log.
class Tier {
public:
    /// `tier` is "gateway" or "cloud". Errors: those of writing the file and of ChildProcess::start.
    static base::Result<Tier> start(const std::string& folder, const std::string& tier, std::string_view config, const TierPorts& ports);

    [[nodiscard]] const TierPorts& ports() const { return ports_; }
    [[nodiscard]] pid_t id() const { return process_.id(); }
    [[nodiscard]] std::optional<int> exit_code() { return process_.exit_code(); }
    int stop() { return process_.stop(posix::ChildProcess::kStopWait); }
    /// The last lines that it wrote, for an error message.
    [[nodiscard]] std::string last_words() const;

private:
    Tier(posix::ChildProcess process, const TierPorts& ports, std::string log)
        : process_(std::move(process)), ports_(ports), log_(std::move(log)) {}
    posix::ChildProcess process_;
    TierPorts ports_;
    std::string log_;
};

}  // namespace sluice::local
