// A spool on simulated hardware, and what a cloud behind it would see.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "flow/spool/spool.hpp"
#include "gateway/spool_sealer.hpp"
#include "sim/clock.hpp"
#include "sim/disk.hpp"

namespace sluice::sim {

inline constexpr data::ClassIndex kAlert{0};
inline constexpr data::ClassIndex kAggregate{1};
inline constexpr data::ClassIndex kSample{2};

/// Collects what read() finds.
class Seen final : public spool::EventVisitor {
public:
    struct Item {
        std::uint64_t sequence;
        std::string rule;
        std::string json;
        std::int64_t made_ms;
    };
    void on_event(data::Sequence sequence, const data::Event& event) override {
        items.push_back({sequence.value(), std::string(event.rule), std::string(base::as_text(event.json)), base::to_ms(event.made)});
    }
    std::vector<Item> items;
};

struct SpoolRig {
    explicit SpoolRig(std::uint64_t seed = 1) : disk(seed), entropy(seed + 1), keys(make_key(seed)), sealer(keys) {
        options.directory = "/data/spool";
        options.bytes_max = 4 << 20;
        options.classes = {{"alert", 0, std::chrono::milliseconds(0)},
                           {"aggregate", 1, std::chrono::milliseconds(0)},
                           {"sample", 2, std::chrono::milliseconds(0)}};
    }

    static identity::MasterKey make_key(std::uint64_t seed) {
        identity::Secret secret;
        SimEntropy(seed ^ 0x5eed).fill(secret.writable());
        return identity::MasterKey(secret);
    }

    /// The sealer has a newer key.
    void rotate() {
        const auto number = static_cast<identity::KeyNumber>(keys.newest() + 1);
        keys.add(number, make_key(0x6b657900 + number));
        sealer.use(keys);
    }
    /// Takes keys away that the spool says it does not need; how many.
    unsigned retire() {
        const auto use = spool->key_use();
        unsigned gone = 0;
        for (const identity::KeyNumber number : keys.numbers()) {
            const auto needs = [number](const spool::KeyUse& each) { return each.key == number; };
            if (number == keys.newest() || std::any_of(use.begin(), use.end(), needs)) continue;
            keys.remove(number);
            ++gone;
        }
        sealer.use(keys);
        return gone;
    }

    base::Status open() {
        spool.reset();
        auto opened = spool::Spool::open({disk, clock, entropy, sealer}, options);
        if (!opened) return opened.error();
        spool = std::move(*opened);
        return {};
    }
    void crash() {
        spool.reset();
        disk.crash();
        clock.reboot(std::chrono::seconds(1));
    }
    void kill() {
        spool.reset();
        disk.kill_process();
    }

    base::Result<data::Sequence> append(data::ClassIndex event_class, const std::string& json, const std::string& rule = "rule-a") {
        return spool->append({event_class, rule, clock.wall().time, base::as_bytes(json)});
    }
    /// Everything from a position on; gaps are checked to be told one by one and returned.
    struct Read {
        std::vector<Seen::Item> events;
        std::vector<spool::Gap> gaps;
        data::Sequence next;
    };
    Read read_all(data::ClassIndex event_class, std::uint64_t from = 1) {
        Read all;
        Seen seen;
        all.next = data::Sequence(from);
        while (true) {
            const auto found = spool->read(event_class, all.next, {}, seen);
            EXPECT_TRUE(found) << base::describe(found.error());
            if (!found) break;
            if (found->gap) all.gaps.push_back(*found->gap);
            if (found->next == all.next || (!found->gap && found->events == 0)) break;
            all.next = found->next;
        }
        all.events = std::move(seen.items);
        return all;
    }
    std::vector<std::string> texts(data::ClassIndex event_class) {
        std::vector<std::string> out;
        for (const auto& item : read_all(event_class).events) out.push_back(item.json);
        return out;
    }
    spool::ClassStats stats(data::ClassIndex event_class) const { return spool->stats().classes.at(event_class.value()); }
    std::vector<std::string> segments() const {
        std::vector<std::string> out;
        for (const std::string& path : disk.paths())
            if (path.ends_with(".seg")) out.push_back(path);
        return out;
    }
    static std::uint64_t dropped(const spool::ClassStats& stats, base::DropReason reason) {
        return stats.dropped[static_cast<std::size_t>(reason)];
    }

    SimDisk disk;
    SimClock clock;
    SimEntropy entropy;
    identity::KeyRing keys;
    gateway::SpoolSealer sealer;
    spool::Options options;
    std::unique_ptr<spool::Spool> spool;
};

}  // namespace sluice::sim
