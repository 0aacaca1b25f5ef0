// links: sluice_flow_rules simdjson::simdjson
// Input: SQL, then lines of payloads. SQL is never a crash; a rule that compiles puts out JSON objects, the same on three shards and with a
// restart after each reading; damaged saved state is refused, not believed.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "flow/rules/file_table.hpp"
#include "flow/rules/rehearsal.hpp"

using namespace sluice;

namespace {

class Lines final : public rules::RowSink {
public:
    void row(std::size_t, std::string_view json) override {
        simdjson::dom::parser parser;
        const auto parsed = parser.parse(json.data(), json.size());
        if (parsed.error() != simdjson::SUCCESS && parsed.error() != simdjson::NUMBER_ERROR && parsed.error() != simdjson::DEPTH_ERROR)
            std::abort();
        if (parsed.error() == simdjson::SUCCESS && !parsed.value_unsafe().is_object()) std::abort();
        lines.emplace_back(json);
    }
    std::vector<std::string> lines;
};

std::vector<std::string> run(const std::shared_ptr<const rules::Plan>& plan, const std::vector<std::string>& payloads, unsigned shards) {
    Lines sink;
    rules::Rehearsal rehearsal(plan, {.shards = shards}, sink);
    // A wall clock that is set back may put a window elsewhere on each shard, as each has its own first reading: here it goes forward.
    double ts = 0;
    for (const std::string& payload : payloads) rehearsal.reading("t", payload, ts += 1'500);
    rehearsal.finish();
    std::sort(sink.lines.begin(), sink.lines.end());
    return sink.lines;
}

class Nowhere final : public rules::Output {
public:
    void emit(const rules::OutputRow&) override {}
    void forward(data::ShardIndex, rules::PartitionMask, const data::Reading&) override {}
};

/// Saves a state, changes one byte of it, and goes on with what could be restored.
void damage(const std::shared_ptr<const rules::Plan>& plan, const std::vector<std::string>& payloads) {
    rules::Engine engine(plan, {});
    Nowhere out;
    std::vector<base::Bytes> padded;
    std::chrono::seconds now{0};
    const auto feed = [&](rules::Engine& to) {
        for (const std::string& payload : payloads) {
            base::Bytes bytes(payload.begin(), payload.end());
            bytes.resize(bytes.size() + data::kReadablePadding);
            to.process({.topic = "t",
                        .payload = base::ByteView(bytes).first(payload.size()),
                        .client = {},
                        .arrived = base::WallTime(now),
                        .at = base::Monotonic(now)},
                       rules::kAllPartitions, out);
            now += std::chrono::seconds(3);
        }
    };
    feed(engine);
    base::Bytes saved;
    rules::SaveCursor cursor;
    while (engine.save_some(cursor, 1000, base::Monotonic(now), base::WallTime(now), saved)) {
    }
    // A few places are enough for one input: others have theirs elsewhere.
    const std::size_t step = std::max<std::size_t>(1, saved.size() / 4);
    for (std::size_t at = saved.size() % step; at < saved.size(); at += step) {
        base::Bytes changed = saved;
        changed[at] ^= static_cast<base::Byte>(1u << (at % 8));
        rules::Engine other(plan, {});
        (void)other.restore(changed, base::Monotonic(now), base::WallTime(now));  // refused or taken: either is right, a crash is not
        feed(other);
        other.finish(out);
    }
}

/// Tables to join: `m` by one column, `l` by two.
const rules::Catalog& catalog() {
    static const rules::Catalog kCatalog = [] {
        rules::TableProblem problem;
        const std::vector<std::string> one{"id"};
        const std::vector<std::string> two{"site", "line"};
        rules::Catalog made;
        made.tables.push_back(
            {"m", rules::FileTable::read("id,limit,line\na,3,n\n1,4.5,s\nb,,\n", rules::TableForm::csv, one, {}, problem)});
        made.tables.push_back({"l", rules::FileTable::read(R"([{"site":1,"line":"n","x":[1,2]},{"site":1,"line":"s","x":{"y":"z"}}])",
                                                           rules::TableForm::json, two, {}, problem)});
        made.machine_classes.push_back({.name = "mills", .limits = {1, 2, 3}});
        return made;
    }();
    return kCatalog;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(bytes), size);
    const std::size_t end = std::min(input.find("\n{"), input.size());
    const rules::RuleSpec spec{.id = "r", .sql = std::string(input.substr(0, end)), .columns_wanted = {}};
    const rules::Compiled compiled = rules::compile({&spec, 1}, {.window_rows_max = 100}, catalog());
    for (const rules::SqlError& problem : compiled.problems[0]) {
        if (problem.offset > spec.sql.size() || problem.line < 1 || problem.column < 1 || problem.message.empty()) std::abort();
    }
    if (compiled.plan == nullptr) {
        if (compiled.problems[0].empty()) std::abort();  // no plan without a reason
        return 0;
    }
    std::vector<std::string> payloads;
    for (std::size_t at = end; at < input.size() && payloads.size() < 64;) {
        const std::size_t stop = std::min(input.find('\n', at), input.size());
        if (stop > at) payloads.emplace_back(input.substr(at, stop - at));
        at = stop + 1;
    }
    const auto one = run(compiled.plan, payloads, 1);
    if (run(compiled.plan, payloads, 3) != one) std::abort();
    damage(compiled.plan, payloads);
    return 0;
}
