// A cloud, put together: gateways -> front -> store -> API. The architecture diagram in code.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cloud/api.hpp"
#include "cloud/front.hpp"
#include "cloud/store_thread.hpp"
#include "env/clock.hpp"
#include "env/file_system.hpp"
#include "env/posix/pid_file.hpp"
#include "manage/config/cloud_config.hpp"
#include "manage/config/start_error.hpp"

namespace sluice::cloud {

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

    /// Clean: gateways are told, what was received is stored.
    void stop();

private:
    Cloud(const config::CloudConfig& config, World world);
    bool open_listeners(config::StartError& error);
    bool open_data(config::StartError& error);
    void run();

    config::CloudConfig config_;
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
