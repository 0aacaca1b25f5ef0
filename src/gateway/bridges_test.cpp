// Which bridges there are after a reload, seen from the hub's ends of their connections. Nobody answers them.
#include "gateway/bridges.hpp"

#include <array>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "env/posix/clock.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "env/posix/socket_pair.hpp"

namespace sluice::gateway {
namespace {

struct BridgesTest : testing::Test {
    BridgesTest() {
        bridges.board().use(loop);
        config.gateway.id = "plant";
        hq.name.value = "hq";
        hq.host = "127.0.0.1";
        hq.port = 1;
        hq.topics = {{.filter = "t/#"}};
    }
    ~BridgesTest() override {
        for (auto& each : knocks) posix::discard(std::move(each));
    }
    /// The hub's end of the next connection of a bridge.
    int knock() {
        posix::DetachedConnection connection;
        while (!bridges.board().take(connection)) std::this_thread::yield();
        knocks.push_back(std::move(connection));
        return knocks.back().fd;
    }
    /// Has the bridge at the other end let go of it? What it has said before does not matter.
    static bool is_over(int fd) {
        std::array<char, 4096> bytes{};
        ssize_t count = 0;
        do count = ::read(fd, bytes.data(), bytes.size());
        while (count > 0);
        return count == 0;
    }

    posix::PosixFileSystem files;
    posix::PosixClock clock;
    posix::PosixEntropy entropy;
    posix::EventLoop loop{clock, std::chrono::microseconds(0)};
    std::vector<posix::DetachedConnection> knocks;
    Bridges bridges{files, clock, entropy};
    config::GatewayConfig config;
    config::BridgeConfig hq;
};

TEST_F(BridgesTest, one_that_comes_back_has_nobody_else_under_its_name) {
    bridges.start(config, std::vector<std::string>{"hq", "other"});
    std::array<int, 2> ending{knock(), knock()};
    config.bridges = {hq};
    bridges.reload(config);
    EXPECT_EQ(is_over(ending[0]) + is_over(ending[1]), 1) << "the other's session has still to end";
    EXPECT_FALSE(is_over(knock()));
    bridges.stop();
}

TEST_F(BridgesTest, a_reload_begins_anew_with_a_bridge_whose_limit_of_payloads_has_changed_and_with_no_other) {
    config.bridges = {hq};
    bridges.start(config, {});
    const int first = knock();
    config.limits.receive_maximum = 10;  // the hub tells it of that
    bridges.reload(config);
    EXPECT_FALSE(is_over(first));
    config.limits.payload = 2048;
    bridges.reload(config);
    EXPECT_TRUE(is_over(first));
    EXPECT_FALSE(is_over(knock()));
    bridges.stop();
}

}  // namespace
}  // namespace sluice::gateway
