// All bridges of a gateway: which there are, started, changed and removed as the configuration says.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "env/clock.hpp"
#include "env/entropy.hpp"
#include "env/file_system.hpp"
#include "gateway/bridge_board.hpp"
#include "gateway/bridge_thread.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {

/// The controlling thread's.
class Bridges {
public:
    Bridges(env::FileSystem& files, const env::Clock& clock, env::Entropy& entropy) : files_(files), clock_(clock), entropy_(entropy) {}

    [[nodiscard]] BridgeBoard& board() { return board_; }

    /// `left_over`: bridges of the last run, by name; those that are not configured any more end their session in the hub.
    void start(const config::GatewayConfig& config, std::span<const std::string> left_over);
    /// New ones start, changed ones (their certificates' files and `limits.payload`, too) start anew, others go on undisturbed.
    void reload(const config::GatewayConfig& config);
    /// Says goodbye to all sides.
    void stop() { running_.clear(), retiring_.clear(); }

private:
    struct Running {
        config::BridgeConfig config;
        std::uint64_t payload = 0;  // limits.payload, which the remote was told of
        std::uint64_t files = 0;    // hash of what its files hold
        std::unique_ptr<BridgeThread> thread;
    };
    struct Retiring {
        std::string name;
        std::unique_ptr<BridgeThread> thread;
    };
    void start_one(const config::GatewayConfig& config, std::size_t index, std::vector<std::string> former_filters);
    void retire(const config::GatewayConfig& config, const std::string& name);
    [[nodiscard]] std::uint64_t hash_of_files(const config::BridgeConfig& bridge) const;

    env::FileSystem& files_;
    const env::Clock& clock_;
    env::Entropy& entropy_;
    BridgeBoard board_;  // outlives the threads
    std::map<std::string, Running> running_;
    std::vector<Retiring> retiring_;
};

}  // namespace sluice::gateway
