// A cloud, put together: gateways -> front -> store -> API. The architecture diagram in code.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/api.hpp"
#include "cloud/front.hpp"
#include "cloud/store_thread.hpp"
#include "env/clock.hpp"
#include "env/file_system.hpp"
#include "env/posix/pid_file.hpp"
#include "manage/config/cloud_config.hpp"
#include "manage/config/start_error.hpp"

namespace sluice::cloud {

/// In the data folder: locked while a cloud runs on it, and says its process.
inline constexpr std::string_view kPidFile = "cloud.pid";

struct World {
    env::FileSystem& files;
    const env::Clock& clock;
};

/// Runs from a successful start() to stop(). Called by one thread; the work happens on the threads it starts.
class Cloud {
public:
    /// Takes the listeners first, so that a port in use leaves the data untouched. `error` says what went wrong when the result is null.
    static std::unique_ptr<Cloud> start(const config::CloudConfig& config, World world, config::StartError& error);
    ~Cloud();
    Cloud(const Cloud&) = delete;
    Cloud& operator=(const Cloud&) = delete;

    /// New certificates, keys and revocation lists for the TLS listeners that the new configuration still has; one that cannot be used
    /// keeps what it had. Logs what it did. Everything else that differs needs a restart: the keys of these parts are returned.
    [[nodiscard]] std::vector<std::string> reload(const config::CloudConfig& config);
    /// Clean: gateways are told, what was received is stored.
    void stop();

private:
    Cloud(const config::CloudConfig& config, World world);
    bool open_listeners(config::StartError& error);
    bool open_data(config::StartError& error);
    void run();

    const config::CloudConfig written_;  // as it was at the start
    config::CloudConfig config_;         // with the ports that are really used
    World world_;
    std::optional<posix::PidFile> pid_file_;
    Admission admission_;
    Gateways gateways_;
    // In the order in which data flows; destroyed the other way round.
    std::unique_ptr<StoreThread> store_;
    std::unique_ptr<Front> front_;
    std::unique_ptr<EventQuery> query_;
    std::unique_ptr<Api> api_;
};

}  // namespace sluice::cloud
