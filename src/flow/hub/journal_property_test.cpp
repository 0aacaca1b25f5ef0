// Random clients, publishes, acknowledgements, commits and crashes: whatever the order, what was acknowledged arrives, in order, and only
// at those who asked for it. SLUICE_SEED repeats one run.
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "flow/hub/kept_world_test.hpp"

namespace sluice::hub::test {
namespace {

constexpr int kSubscribers = 3;
constexpr int kPublishers = 2;
constexpr int kTopics = 3;

std::string topic_of(int topic) { return "t/" + std::to_string(topic); }

/// What one publisher sent to one topic: numbers that grow.
using Stream = std::pair<int, int>;

struct Subscriber {
    std::string id{};
    Client* client = nullptr;
    std::set<int> topics{};                  // acknowledged subscriptions
    std::map<Stream, std::set<int>> owed{};  // acknowledged to the publisher, not seen yet
    std::map<Stream, int> last{};            // the last new one seen
    std::map<Stream, std::set<int>> seen{};
    std::optional<int> asked{};  // a topic whose SUBACK is to come
};

struct Publisher {
    struct Sent {
        int topic = 0;
        int number = 0;
        std::set<std::string> wanted_by{};  // those whose subscription was acknowledged when it was sent
    };
    std::string id{};
    Client* client = nullptr;
    mqtt::PacketId next_id = 1;
    std::map<mqtt::PacketId, Sent> unacknowledged{};
};

class Story {
public:
    Story(std::uint64_t seed, std::uint16_t shards) : random_(seed), shards_(shards) {
        for (int i = 0; i < kSubscribers; ++i) subscribers_.push_back({.id = "sub" + std::to_string(i)});
        for (int i = 0; i < kPublishers; ++i) publishers_.push_back({.id = "pub" + std::to_string(i)});
        start();
    }

    void go(int steps) {
        for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) step();
        crash();
        for (auto& one : subscribers_) {
            connect(one);
            for (int i = 0; i < 4; ++i) read(one);
            for (const auto& [stream, numbers] : one.owed)
                EXPECT_TRUE(numbers.empty()) << one.id << " never got " << *numbers.begin() << " of publisher " << stream.first << " on "
                                             << topic_of(stream.second);
        }
    }
    [[nodiscard]] std::size_t delivered() const { return delivered_; }

private:
    int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

    void start() {
        kept_ = std::make_unique<KeptWorld>(disk_, shards_);
        for (auto& one : publishers_) {
            one.client = &kept_->world.client(one.id);
            one.unacknowledged.clear();  // lost with the connection: not promised
        }
    }
    void crash() {
        for (auto& one : subscribers_) {
            one.client = nullptr;
            one.asked.reset();
        }
        kept_.reset();
        shards_ = static_cast<std::uint16_t>(1 + pick(3));
        start();
    }

    void step() {
        Subscriber& subscriber = subscribers_[static_cast<std::size_t>(pick(kSubscribers))];
        switch (pick(20)) {
            case 0:
                return pick(4) == 0 ? crash() : kept_->commit();
            case 1:
                return subscriber.client == nullptr ? connect(subscriber) : leave(subscriber);
            case 2:
                return subscribe(subscriber);
            case 3:
            case 4:
            case 5:
                return kept_->commit_one(static_cast<std::uint32_t>(pick(shards_)));
            case 6:
            case 7:
            case 8:
                return read(subscriber);
            default:
                return publish(publishers_[static_cast<std::size_t>(pick(kPublishers))]);
        }
    }

    void connect(Subscriber& one) {
        one.client = &kept_->world.open(one.id).connect(one.id, {.clean = false});
        handle(one, one.client->take());
    }
    void leave(Subscriber& one) {
        one.client->drop();
        one.client = nullptr;
        one.asked.reset();
    }
    void subscribe(Subscriber& one) {
        if (one.client == nullptr || one.asked) return;
        one.asked = pick(kTopics);
        ever_asked_.insert({one.id, *one.asked});
        one.client->subscribe(topic_of(*one.asked), {.qos = static_cast<std::uint8_t>(1 + pick(2))});
    }
    void publish(Publisher& from) {
        const int topic = pick(kTopics);
        const int number = ++numbers_[{index(from), topic}];
        const mqtt::PacketId id = from.next_id++;
        Publisher::Sent& sent = from.unacknowledged[id];
        sent.topic = topic;
        sent.number = number;
        for (const auto& one : subscribers_)
            if (one.topics.contains(topic)) sent.wanted_by.insert(one.id);
        from.client->publish(topic_of(topic), fmt::format("{} {}", index(from), number), {.qos = 1, .id = id});
        hear_publishers();
    }
    void hear_publishers() {
        for (auto& one : publishers_) {
            for (const auto& line : one.client->take()) {
                ASSERT_TRUE(line.starts_with("PUBACK #")) << line;
                const auto id = static_cast<mqtt::PacketId>(std::stoi(line.substr(8)));
                const Publisher::Sent sent = one.unacknowledged.at(id);
                one.unacknowledged.erase(id);
                const Stream stream{index(one), sent.topic};
                for (auto& subscriber : subscribers_)
                    if (sent.wanted_by.contains(subscriber.id) && !subscriber.seen[stream].contains(sent.number))
                        subscriber.owed[stream].insert(sent.number);
            }
        }
    }
    void read(Subscriber& one) {
        hear_publishers();
        if (one.client != nullptr) handle(one, one.client->take());
    }

    /// Reads packets and acknowledges most of them; what it does not acknowledge comes again.
    void handle(Subscriber& one, const Lines& lines) {
        for (const auto& line : lines) {
            const auto hash = line.find('#');
            const auto id = hash == std::string::npos ? mqtt::PacketId{0} : static_cast<mqtt::PacketId>(std::stoi(line.substr(hash + 1)));
            if (line.starts_with("SUBACK")) {
                one.topics.insert(*one.asked);
                one.asked.reset();
            } else if (line.starts_with("PUBREL")) {
                one.client->ack(mqtt::PacketType::pubcomp, id);
            } else if (line.starts_with("PUBLISH")) {
                take(one, line);
                const bool once = line.find(" q2 ") != std::string::npos;
                if (pick(8) != 0) one.client->ack(once ? mqtt::PacketType::pubrec : mqtt::PacketType::puback, id);
            } else {
                ASSERT_TRUE(line.starts_with("CONNACK 0x0")) << line;
                EXPECT_TRUE(one.topics.empty() || line.find("present") != std::string::npos) << one.id << " is not remembered";
            }
        }
    }
    void take(Subscriber& one, const std::string& line) {
        int topic = 0;
        int publisher = 0;
        int number = 0;
        ASSERT_EQ(std::sscanf(line.c_str(), "PUBLISH t/%d '%d %d'", &topic, &publisher, &number), 3) << line;
        EXPECT_TRUE(ever_asked_.contains({one.id, topic})) << one.id << " did not ask for " << line;
        const Stream stream{publisher, topic};
        one.owed[stream].erase(number);
        ++delivered_;
        if (!one.seen[stream].insert(number).second) return;  // again: at least once, and with QoS 2 after a crash
        EXPECT_GT(number, one.last[stream]) << one.id << ": out of order: " << line;
        one.last[stream] = number;
    }
    [[nodiscard]] int index(const Publisher& one) const { return static_cast<int>(&one - publishers_.data()); }

    std::mt19937_64 random_;
    std::uint16_t shards_;
    Disk disk_;
    std::unique_ptr<KeptWorld> kept_;
    std::vector<Subscriber> subscribers_;
    std::vector<Publisher> publishers_;
    std::map<Stream, int> numbers_;
    std::set<std::pair<std::string, int>> ever_asked_;  // whether or not the SUBACK arrived
    std::size_t delivered_ = 0;
};

TEST(JournalProperty, nothing_acknowledged_is_lost_reordered_or_sent_to_strangers) {
    const char* given = std::getenv("SLUICE_SEED");
    const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
    const std::uint64_t last = given != nullptr ? first : first + 299;
    std::size_t delivered = 0;
    for (std::uint64_t seed = first; seed <= last && !HasFailure(); ++seed) {
        SCOPED_TRACE("SLUICE_SEED=" + std::to_string(seed));
        Story story(seed, static_cast<std::uint16_t>(1 + seed % 3));
        story.go(400);
        delivered += story.delivered();
    }
    EXPECT_GT(delivered, 100U * (last - first + 1)) << "the runs must get somewhere";
}

}  // namespace
}  // namespace sluice::hub::test
