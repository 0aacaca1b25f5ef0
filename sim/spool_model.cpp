#include "sim/spool_model.hpp"

#include <fmt/format.h>

namespace sluice::sim {
namespace {

using base::DropReason;

constexpr std::uint64_t kDiskBytes = 3 << 20;

data::ClassIndex index_of(std::size_t i) { return data::ClassIndex(static_cast<std::uint8_t>(i)); }

}  // namespace

SpoolModel::SpoolModel(std::uint64_t seed) : random_(seed), key_random_(seed ^ 0x6b6579), rig_(seed * 7919 + 1) {
    rig_.options.bytes_max = random_.chance(1, 2) ? spool::kSpoolBytesMin : spool::kSpoolBytesMin * random_.between(1, 4);
    rig_.options.pending_bytes_max = random_.chance(1, 2) ? 64 << 10 : 1 << 20;
    if (random_.chance(1, 3)) rig_.options.classes[2].time_to_live = std::chrono::seconds(random_.between(5, 60));
    for (auto& each : rig_.options.classes) {
        if (random_.chance(1, 3)) each.share_percent = static_cast<std::uint32_t>(random_.between(spool::kSharePercentMin, 60));
        if (random_.chance(1, 3)) each.drop = spool::DropPolicy::newest;
    }
    rig_.options.compress = seed % 2 == 0;
    space_short_ = random_.chance(1, 4);
    if (space_short_) rig_.disk.set_bytes_max(random_.between(kDiskBytes / 8, kDiskBytes));
    reopen();
}

void SpoolModel::fail(const std::string& what) {
    if (problem_.empty()) problem_ = what;
}

SpoolModel::Content SpoolModel::make_content(std::size_t index) {
    const std::size_t size = random_.chance(1, 50) ? random_.between(1000, 60'000) : random_.between(10, 400);
    std::string json = fmt::format("{{\"n\":{},\"pad\":\"", next_payload_++);
    // Four bits a letter: shrinks to half, as text does, and not to nothing.
    for (std::uint64_t i = 0, bits = next_payload_; i < size; ++i) {
        bits = bits * 6364136223846793005U + 1442695040888963407U;
        json += static_cast<char>('a' + (bits >> 60));
    }
    json += "\"}";
    return {fmt::format("rule-{}-{}", index, random_.below(3)), std::move(json)};
}

void SpoolModel::append_some() {
    const std::size_t index = random_.below(kClasses);
    ClassModel& model = models_[index];
    const std::uint64_t events = random_.chance(1, 10) ? random_.between(50, 300) : random_.between(1, 10);
    for (std::uint64_t i = 0; i < events; ++i) {
        Content content = make_content(index);
        const auto sequence = rig_.append(index_of(index), content.json, content.rule);
        const std::uint64_t half_share = rig_.options.bytes_max / 100 * rig_.options.classes[index].share_percent / 2;
        if (!sequence && sequence.error().code == base::Errc::too_large && content.rule.size() + content.json.size() > half_share) continue;
        if (!sequence) return fail(fmt::format("append failed: {}", base::describe(sequence.error())));
        if (sequence->value() != model.reported + 1) {
            return fail(fmt::format("class {}: append gave {} after {}", index, sequence->value(), model.reported));
        }
        model.reported = sequence->value();
        if (model.seen.contains(model.reported)) return fail(fmt::format("class {}: number {} given out again", index, model.reported));
        model.appended[model.reported] = std::move(content);
    }
}

void SpoolModel::commit() {
    const auto done = rig_.spool->commit();
    ++counts_.commits;
    if (!done) {
        ++counts_.failed_commits;
        return;
    }
    for (ClassModel& model : models_) model.safe = model.reported;
    const auto stats = rig_.spool->stats();
    if (stats.bytes_used > stats.bytes_max) fail(fmt::format("{} bytes used of {}", stats.bytes_used, stats.bytes_max));
    if (rig_.disk.bytes_used() > stats.bytes_max + (16U << 10)) fail("more on the disk than the limit");
    for (std::size_t i = 0; i < kClasses; ++i) {
        if (stats.classes[i].pending != 0) fail("pending after a good commit");
        if (stats.classes[i].bytes > stats.classes[i].bytes_max)
            fail(fmt::format("class {}: {} bytes of {}, policy {}", i, stats.classes[i].bytes, stats.classes[i].bytes_max,
                             static_cast<int>(rig_.options.classes[i].drop)));
    }
}

/// Reads a batch and "sends" it; the cloud stores each number once; the acknowledgement may get lost.
void SpoolModel::upload(std::size_t index, bool ack_arrives) {
    ClassModel& model = models_[index];
    Seen seen;
    const data::Sequence from(model.sent);
    const auto found = rig_.spool->read(index_of(index), from, {random_.between(1, 200), random_.between(100, 200'000)}, seen);
    if (!found) return;
    std::uint64_t expected = std::max(model.sent, rig_.spool->first_waiting(index_of(index)).value());
    for (const Seen::Item& item : seen.items) {
        if (item.sequence != expected) return fail(fmt::format("class {}: read {} where {} was next", index, item.sequence, expected));
        ++expected;
        const Content content{item.rule, item.json};
        if (const auto known = model.seen.find(item.sequence); known != model.seen.end() && known->second != content)
            return fail(fmt::format("class {}: number {} came back with other content", index, item.sequence));
        const auto appended = model.appended.find(item.sequence);
        if (appended == model.appended.end() || appended->second != content)
            return fail(fmt::format("class {}: number {} has content that was never appended under it", index, item.sequence));
        if (item.sequence >= rig_.spool->durable_end(index_of(index)).value()) return fail("read an event that is not durable");
        if (model.told.contains(item.sequence))
            return fail(fmt::format("class {}: number {} was reported gone, now it is read", index, item.sequence));
        model.seen[item.sequence] = content;
        if (item.sequence >= model.cloud_next) {
            if (item.sequence != model.cloud_next)
                return fail(fmt::format("class {}: a hole before {} was not told", index, item.sequence));
            model.cloud[item.sequence] = content;
            model.cloud_next = item.sequence + 1;
            ++counts_.stored;
        } else {
            ++counts_.resent;
        }
    }
    if (found->gap) {
        const spool::Gap& gap = *found->gap;
        if (gap.first.value() != expected)
            return fail(fmt::format("class {}: a gap at {} where {} was next", index, gap.first.value(), expected));
        for (std::uint64_t n = gap.first.value(); n <= gap.last.value(); ++n) {
            model.told[n] = gap.reason;
            const bool was_safe = n <= model.safe && !model.never_safe.contains(n);
            if (gap.reason == DropReason::corrupt && was_safe && !(space_short_ && calls_failed_))
                return fail(fmt::format("class {}: number {} was safe and is now called corrupt", index, n));
        }
        if (gap.last.value() >= model.cloud_next) model.cloud_next = gap.last.value() + 1;
    }
    model.sent = found->next.value();
    if (ack_arrives && model.cloud_next > 1)
        rig_.spool->acknowledge(index_of(index), data::Sequence(std::min(model.sent, model.cloud_next) - 1));
}

void SpoolModel::reopen() {
    for (unsigned attempt = 0; attempt < 20; ++attempt) {
        const auto opened = rig_.open();
        if (opened) {
            for (std::size_t i = 0; i < kClasses; ++i) {
                ClassModel& model = models_[i];
                const auto stats = rig_.stats(index_of(i));
                const std::uint64_t last = stats.last.value();
                if (last < model.safe) return fail(fmt::format("class {}: {} were safe, {} came back", i, model.safe, last));
                if (!model.seen.empty() && last < model.seen.rbegin()->first)
                    return fail(fmt::format("class {}: seen numbers are gone", i));
                model.appended.erase(model.appended.upper_bound(last), model.appended.end());
                model.reported = last;
                for (std::uint64_t n = model.safe + 1; n <= last; ++n) model.never_safe.insert(n);
                model.safe = last;
                model.sent = rig_.spool->first_waiting(index_of(i)).value();
                if (model.sent > model.cloud_next) return fail(fmt::format("class {}: positions are ahead of the cloud", i));
            }
            return;
        }
        ++counts_.failed_opens;
        if (opened.error().code != base::Errc::io && opened.error().code != base::Errc::disk_full)
            return fail(fmt::format("open: {}", base::describe(opened.error())));
        if (rig_.disk.power_is_off()) rig_.crash();
        if (attempt == 5) {
            rig_.disk.set_faults({});
            rig_.disk.set_dead(false);
            rig_.disk.set_bytes_max(UINT64_MAX);
        }
    }
    fail("the spool does not open any more");
}

void SpoolModel::restart(bool power_cut) {
    if (power_cut) {
        ++counts_.crashes;
        rig_.crash();
    } else {
        ++counts_.kills;
        rig_.kill();
    }
    // What was not safe may or may not come back: the corrupt verdict over a torn write is legal for it.
    reopen();
}

void SpoolModel::tend_keys() {
    if (key_random_.chance(1, 12)) {
        ++counts_.rotations;
        rig_.rotate();
    }
    counts_.retired += rig_.retire();
}

void SpoolModel::check_stats(const char* after) {
    const auto stats = rig_.spool->stats();
    for (std::size_t i = 0; i < kClasses; ++i) {
        const auto& entry = stats.classes[i];
        if (entry.created != entry.delivered + entry.waiting + entry.dropped_total())
            return fail(fmt::format("class {} after {}: {} created, {} delivered, {} waiting, {} dropped", i, after, entry.created,
                                    entry.delivered, entry.waiting, entry.dropped_total()));
        if (entry.last.value() != models_[i].reported) return fail(fmt::format("class {} after {}: last number", i, after));
    }
}

void SpoolModel::step() {
    const std::uint64_t choice = random_.below(100);
    if (choice < 35) {
        append_some();
    } else if (choice < 65) {
        commit();
    } else if (choice < 80) {
        upload(random_.below(kClasses), random_.chance(3, 4));
    } else if (choice < 85) {
        rig_.clock.advance(std::chrono::milliseconds(random_.between(1, 10'000)));
        (void)rig_.spool->maintain();  // a failure shows in the next commit
    } else if (choice < 88) {
        ClassModel& model = models_[random_.below(kClasses)];  // a reconnect: send again from the acknowledged position
        model.sent = rig_.spool->first_waiting(index_of(static_cast<std::size_t>(&model - models_.data()))).value();
    } else if (choice < 91) {
        rig_.disk.crash_at(random_.between(1, 20));
    } else if (choice < 93) {
        restart(true);
    } else if (choice < 95) {
        restart(false);
    } else if (choice < 96) {
        if (rig_.spool->close()) {
            for (ClassModel& model : models_) model.safe = model.reported;
            rig_.spool.reset();
            reopen();
        }
    } else if (choice < 97) {
        const bool full = random_.chance(1, 2);
        rig_.disk.fail_at(random_.between(1, 10), full ? base::Errc::disk_full : base::Errc::io);
        (full ? space_short_ : calls_failed_) = true;
    } else if (choice < 98) {
        const std::uint32_t rate = random_.chance(1, 2) ? 0 : 50'000;
        calls_failed_ = calls_failed_ || rate != 0;
        rig_.disk.set_faults({.write = rate, .sync = rate, .other = rate / 5});
    } else if (choice < 99) {
        const bool dead = random_.chance(1, 2);
        calls_failed_ = calls_failed_ || dead;
        rig_.disk.set_dead(dead);
    } else {
        const bool limited = random_.chance(1, 2);
        space_short_ = space_short_ || limited;
        rig_.disk.set_bytes_max(limited ? random_.between(kDiskBytes / 8, kDiskBytes) : UINT64_MAX);
    }
}

void SpoolModel::run(unsigned steps) {
    for (unsigned i = 0; i < steps && problem_.empty(); ++i) {
        step();
        if (rig_.disk.power_is_off()) restart(true);
        if (problem_.empty()) tend_keys();
        if (problem_.empty()) check_stats("a step");
    }
    if (!problem_.empty()) return;
    rig_.disk.set_faults({});
    rig_.disk.set_dead(false);
    rig_.disk.set_bytes_max(UINT64_MAX);
    rig_.crash();
    reopen();
    drain();
    if (problem_.empty()) final_checks();
}

void SpoolModel::drain() {
    for (std::size_t i = 0; i < kClasses && problem_.empty(); ++i) {
        const std::uint64_t end = rig_.spool->durable_end(index_of(i)).value();
        for (std::uint64_t last = 0; models_[i].sent < end && models_[i].sent != last && problem_.empty();) {
            last = models_[i].sent;
            upload(i, true);
        }
        if (models_[i].sent < end) fail(fmt::format("class {}: draining stopped at {} of {}", i, models_[i].sent, end));
    }
    if (!rig_.spool->maintain()) fail("the last maintain failed");
}

void SpoolModel::final_checks() {
    for (std::size_t i = 0; i < kClasses; ++i) {
        const ClassModel& model = models_[i];
        const auto stats = rig_.stats(index_of(i));
        if (stats.waiting != 0) return fail(fmt::format("class {}: {} wait after the drain", i, stats.waiting));
        std::uint64_t missing = 0;
        for (std::uint64_t n = 1; n <= model.reported; ++n) {
            if (model.cloud.contains(n)) continue;
            if (!model.never_safe.contains(n)) ++missing;  // of a torn write nobody knows how many events it had
            if (!model.told.contains(n)) return fail(fmt::format("class {}: number {} is neither in the cloud nor told to be gone", i, n));
        }
        if (missing > stats.dropped_total())
            return fail(fmt::format("class {}: {} missing, {} counted", i, missing, stats.dropped_total()));
        counts_.dropped += stats.dropped_total();
        counts_.corrupt += stats.dropped[static_cast<std::size_t>(DropReason::corrupt)];
    }
}

}  // namespace sluice::sim
