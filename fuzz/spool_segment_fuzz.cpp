// links: sluice_flow_spool sluice_sim
// Any bytes as the segments of a spool: opening and reading must not crash, what is read was sealed with the key, and the sums agree.
// The input is a list of changes to a good segment (so that the fuzzer gets past CRC and tag), or, if its first byte is even, the segment
// itself. With bit 2 of that byte the key changes in the middle; with bit 3, too, the old one is gone at the end. With bit 4 the blocks are
// large enough to be packed.
#include <cstdlib>
#include <string>
#include <vector>

#include "flow/spool/key_scan.hpp"
#include "flow/spool/plain_sealer_for_tests.hpp"
#include "flow/spool/spool.hpp"
#include "flow/spool/verify.hpp"
#include "sim/clock.hpp"
#include "sim/disk.hpp"

namespace {

using namespace sluice;

void require(bool condition) {
    if (!condition) std::abort();
}

struct World {
    sim::SimDisk disk{1};
    sim::SimClock clock;
    sim::SimEntropy entropy{1};
    spool::PlainSealer sealer;
    spool::Options options;
    std::unique_ptr<spool::Spool> spool;

    World() {
        options.directory = "/spool";
        options.bytes_max = spool::kSpoolBytesMin;
        options.classes = {{"alert", 0, {}}};
    }
    bool open() {
        spool.reset();
        auto opened = spool::Spool::open({disk, clock, entropy, sealer}, options);
        if (opened) spool = std::move(*opened);
        return spool != nullptr;
    }
};

std::string text_of(std::uint64_t n, bool large) {
    constexpr std::size_t kThreeOfThemArePacked = 200;
    return "{\"n\":" + std::to_string(n) + (large ? ",\"text\":\"" + std::string(kThreeOfThemArePacked, 'x') + "\"" : "") + "}";
}

/// Events that were read must be as they were appended, whatever was done to the file.
class Checker final : public spool::EventVisitor {
public:
    Checker(bool strict, bool large) : strict_(strict), large_(large) {}
    void on_event(data::Sequence sequence, const data::Event& event) override {
        ++events;
        if (strict_) require(base::as_text(event.json) == text_of(sequence.value(), large_));
    }
    std::uint64_t events = 0;

private:
    bool strict_;
    bool large_;
};

/// Verifying takes any bytes, changes nothing, and its sums are those of its rows.
class Findings final : public spool::VerifyObserver {
public:
    void on_problem(const spool::Problem& problem) override {
        ++problems;
        events_lost += problem.events_lost;
        require(problem.first <= problem.last && (problem.first != 0 || problem.events_lost == 0));
    }
    void on_progress(std::uint64_t done, std::uint64_t total) override { require(done <= total); }
    bool wait() override { return ++waits < 3; }
    std::uint64_t problems = 0;
    std::uint64_t events_lost = 0;
    unsigned waits = 0;
};

/// True: nothing is wrong with it.
bool is_good(World& world) {
    Findings findings;
    const auto written = world.disk.counts().bytes_written;
    const auto done = spool::verify(world.disk, world.sealer, world.options.directory, findings);
    require(world.disk.counts().bytes_written == written);
    if (!done) return false;
    require(done->problems == findings.problems && done->events_lost == findings.events_lost);
    return done->good();
}

constexpr std::uint64_t kEvents = 12;

base::Bytes changed(const base::Bytes& good, base::ByteView changes) {
    base::Bytes out = good;
    for (std::size_t i = 0; i + 3 <= changes.size() && !out.empty(); i += 3) {
        const std::size_t at = (changes[i] + std::size_t{256} * changes[i + 1]) % out.size();
        if (changes[i + 2] == 0) {
            out.resize(at);
        } else {
            out[at] = static_cast<base::Byte>(out[at] ^ changes[i + 2]);
        }
    }
    return out;
}

void drain(World& world, Checker& checker) {
    const data::ClassIndex alert{0};
    data::Sequence next = world.spool->first_waiting(alert);
    std::uint64_t gone = 0;
    while (next < world.spool->durable_end(alert)) {
        const auto found = world.spool->read(alert, next, {}, checker);
        require(found.has_value() && found->next > next);
        if (found->gap) gone += found->gap->last.value() - found->gap->first.value() + 1;
        next = found->next;
    }
    const auto stats = world.spool->stats().classes[0];  // checks its sums itself
    require(stats.waiting == checker.events);
    require(gone >= stats.dropped_total() || stats.dropped_total() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > 64 * 1024) return 0;
    const base::ByteView input(data + 1, size - 1);
    World world;
    const bool rotated = (data[0] & 4) != 0;
    const bool large = (data[0] & 16) != 0;
    world.options.compress = large;
    require(world.open());
    for (std::uint64_t n = 1; n <= kEvents; ++n) {
        const std::string json = text_of(n, large);
        require(world.spool->append({data::ClassIndex{0}, "rule", base::from_ms(1'000), base::as_bytes(json)}).has_value());
        if (n % 3 == 0) require(world.spool->commit().has_value());
        if (n == kEvents / 2 && rotated) world.sealer = spool::PlainSealer(2);
    }
    require(!rotated || world.spool->maintain().has_value());
    if ((data[0] & 2) != 0) require(world.spool->close().has_value());
    world.spool.reset();
    std::string path;
    for (const auto& each : world.disk.paths())
        if (each.ends_with(".seg")) path = each;
    const base::Bytes good = *world.disk.contents(path);
    const bool patched = (data[0] & 1) != 0;
    world.disk.overwrite(path, patched ? changed(good, input) : base::Bytes(input.begin(), input.end()));
    const bool forgotten = rotated && (data[0] & 8) != 0;
    if (forgotten) world.sealer = spool::PlainSealer(2, 2);
    const auto named = spool::scan_keys(world.disk, world.options.directory);
    require(named.has_value());
    for (const auto& each : *named) require(each.key.number != 0);
    const bool verified = is_good(world);
    if (!world.open()) return 0;
    // With a checksum for a tag a whole file of one's own can be forged: then only memory safety and the sums count.
    Checker checker(patched && size < 20, large);
    drain(world, checker);
    // What verifying takes for good, reading does not take for damaged; and the other way round for small damage.
    const std::uint64_t lost = world.spool->stats().classes[0].dropped_total();
    if (verified) require(lost == 0);
    if (patched && size < 20 && lost != 0) require(!verified);
    require(world.spool->append({data::ClassIndex{0}, "rule", base::from_ms(1'000), base::as_bytes("{}")}).has_value());
    require(world.spool->commit().has_value());
    return 0;
}
