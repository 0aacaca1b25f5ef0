#include "gateway/turn_journal.hpp"

#include <algorithm>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

struct Told {
    bool time = false;
    std::string topic;
    std::string client;
    std::string payload;
    JournalMoment at;
    unsigned shard = 0;
};

class Listener final : public TurnVisitor {
public:
    std::vector<Told> told;
    void on_reading(const data::Reading& reading, rules::Origin origin) override {
        told.push_back({false,
                        std::string(reading.topic),
                        std::string(reading.client),
                        std::string(base::as_text(reading.payload)),
                        {reading.at, reading.arrived},
                        origin.shard});
    }
    void on_time(JournalMoment at, rules::Origin origin) override { told.push_back({true, {}, {}, {}, at, origin.shard}); }
};

data::Reading reading_of(const Told& told) {
    return {.topic = told.topic, .payload = base::as_bytes(told.payload), .client = told.client, .arrived = told.at.wall, .at = told.at.at};
}

void expect_same(const std::vector<Told>& given, const std::vector<Told>& told) {
    ASSERT_EQ(given.size(), told.size());
    for (std::size_t i = 0; i < given.size(); ++i) {
        EXPECT_EQ(given[i].time, told[i].time);
        EXPECT_EQ(given[i].topic, told[i].topic);
        EXPECT_EQ(given[i].client, told[i].client);
        EXPECT_EQ(given[i].payload, told[i].payload);
        EXPECT_EQ(given[i].at.at, told[i].at.at);
        EXPECT_EQ(given[i].at.wall, told[i].at.wall);
    }
}

TEST(TurnJournal, what_is_recorded_comes_back_packed_or_not_whatever_the_clocks_do) {
    std::mt19937_64 random(5);
    RecordPacker packer;
    for (int round = 0; round < 500; ++round) {
        TurnJournal journal({.shard = 2, .shards = 3});
        const std::chrono::nanoseconds shift(static_cast<std::int64_t>(random() % 1'000'000'000'000) - 500'000'000'000);
        journal.use_shift(shift);
        std::vector<Told> given;
        for (std::size_t n = 1 + random() % 40; n > 0; --n) {
            Told one;
            one.time = random() % 8 == 0;
            one.at.at = base::Monotonic(std::chrono::nanoseconds(random() % 4'000'000'000'000'000));
            one.at.wall = base::WallTime(std::chrono::nanoseconds(random() % 4'000'000'000'000'000'000));
            if (one.time) {
                journal.add_time(one.at.at, one.at.wall);
            } else {
                one.topic = "t/" + std::to_string(random() % 3);
                one.client = random() % 3 == 0 ? "" : "client";
                one.payload.assign(random() % 7 == 0 ? random() % 200'000 : random() % 90, static_cast<char>('a' + random() % 3));
                journal.add(reading_of(one));
            }
            one.at.at += shift;
            given.push_back(std::move(one));
        }
        Listener plain;
        Listener packed;
        for (const base::Bytes& record : journal.take()) {
            EXPECT_TRUE(read_turn(record, plain));
            EXPECT_TRUE(read_turn(packer.pack(record), packed));
        }
        EXPECT_TRUE(journal.empty());
        expect_same(given, plain.told);
        expect_same(given, packed.told);
        EXPECT_EQ(plain.told.at(0).shard, 2u);
    }
}

TEST(TurnJournal, a_record_cut_anywhere_is_corrupt_or_what_came_before) {
    TurnJournal journal({});
    const Told one{false, "a/b", "c", R"({"v":1})", {base::Monotonic(std::chrono::seconds(5)), base::from_ms(1'700'000'000'000)}, 0};
    for (int i = 0; i < 3; ++i) journal.add(reading_of(one));
    const base::Bytes record = journal.take().at(0);
    std::size_t whole = 0;
    for (std::size_t size = 0; size < record.size(); ++size) {
        Listener listener;
        if (read_turn(base::ByteView(record).first(size), listener)) ++whole;
        EXPECT_LE(listener.told.size(), 2u);
    }
    EXPECT_EQ(whole, 3u) << "the head alone, one reading, two";
}

TEST(TurnJournal, a_payload_larger_than_rules_read_is_recorded_as_empty) {
    TurnJournal journal({});
    Told one{false, "a/b", "c", std::string(TurnJournal::kPayloadBytesMax + 1, 'x'), {}, 0};
    journal.add(reading_of(one));
    Listener listener;
    EXPECT_TRUE(read_turn(journal.take().at(0), listener));
    EXPECT_EQ(listener.told.at(0).payload, "");
    EXPECT_EQ(listener.told.at(0).topic, "a/b");
}

TEST(TurnJournal, events_come_back_packed_or_not_and_damage_is_seen) {
    RecordPacker packer;
    for (const std::size_t size : {std::size_t{0}, std::size_t{10}, std::size_t{5'000}, std::size_t{900'000}}) {
        base::Bytes record(1, static_cast<base::Byte>(JournalKind::events));
        for (std::size_t i = 0; i < size; ++i) record.push_back(static_cast<base::Byte>(i * i / 1'000));
        const base::ByteView packed = packer.pack(record);
        EXPECT_EQ(packed[0] == static_cast<base::Byte>(JournalKind::packed_events), size >= 5'000) << size;
        EXPECT_LE(packed.size(), record.size());
        const auto plain = read_events(packed);
        ASSERT_TRUE(plain) << size;
        EXPECT_TRUE(std::ranges::equal(*plain, base::ByteView(record).subspan(1))) << size;
        if (packed[0] != record[0]) {
            EXPECT_FALSE(read_events(packed.first(packed.size() - 1))) << size;
            base::Bytes longer(packed.begin(), packed.end());
            longer.push_back(0);
            EXPECT_FALSE(read_events(longer)) << size;
        }
    }
}

}  // namespace
}  // namespace sluice::gateway
