// Rules that share a window against the same rules each in a plan of its own: nothing may tell them apart.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "flow/rules/window_life_test.hpp"

namespace sluice::rules {
namespace {

/// A seed's rules, readings and fates.
class Fates {
public:
    explicit Fates(std::uint32_t seed)
        : random_(seed),
          limited_(seed % 4 == 0),
          many_keys_(seed % 32 == 1),
          keys_(many_keys_ ? 700 : 1 + below(6)),
          now_(nanoseconds(1'000'000'000'000 + below(1'000'000'000))),
          wall_(base::from_ms(1'700'000'000'000 + below(100'000)) + nanoseconds(below(1'000'000))) {
        // Rules over the same keys are full together: with room for few keys all have one window, as each alone has.
        for (std::uint32_t i = 0, bases = limited_ ? 1 : 1 + below(3); i < bases; ++i) bases_.push_back(base());
        // A fingerprint over a function with state has its number in the plan in it: one for all rules, which is the first in each plan.
        const auto state = std::ranges::find_if(bases_, [](const Base& of) { return of.where.find("lag") != std::string::npos; });
        only_go_ = limited_ || state != bases_.end();
        if (state != bases_.end()) bases_ = {Base(*state)};
        if (limited_) options_.keys_max = 1 + below(4);
        for (std::uint32_t i = 0, rules = 2 + below(6); i < rules; ++i) rules_.push_back(rule());
    }

    /// Rules that began with somebody else's window.
    [[nodiscard]] std::size_t shared() const {
        std::size_t sum = 0;
        for (const WindowGroup& group : first_plan_->data().window_groups) sum += group.rules.size() - 1;
        return sum;
    }
    void live() {
        first_plan_ = plan_of(rules_);
        Life together(first_plan_, options_, shift_);
        std::map<std::string, Life> alone;
        const auto add_missing = [&] {
            for (const RuleSpec& spec : rules_) alone.try_emplace(spec.id, plan_of({spec}), options_, shift_);
        };
        add_missing();
        const auto all = [&](auto call) {
            call(together);
            for (auto& [id, run] : alone) call(run);
        };
        for (std::uint32_t turn = 0, turns = 20 + below(many_keys_ ? 20 : 80); turn < turns; ++turn) {
            SCOPED_TRACE("turn " + std::to_string(turn));
            for (std::uint32_t i = below(many_keys_ ? 400 : 5); i > 0; --i) {
                const Given given = next();
                all([&](Life& run) { run.give(given); });
            }
            const bool at_once = !many_keys_ || below(3) == 0;
            all([&](Life& run) { run.end_turn(now_, wall_, at_once); });
            bool goes_on = false;
            all([&](Life& run) { goes_on = goes_on || run.engine().draining(); });
            // In the middle of a window's rows each may have come to another key, if their order differs.
            if (ordered_ || !goes_on) compare(together, alone);
            if (testing::Test::HasFailure()) return;
            const std::size_t budget = 1 + below(500);
            all([&](Life& run) { run.go_on_saving(budget); });
            bool draining = false;
            all([&](Life& run) { draining = draining || run.engine().draining(); });
            if (draining) continue;
            switch (below(20)) {
                case 0:
                case 1:
                    all([&](Life& run) { run.begin_save(now_, wall_); });
                    break;
                case 2:
                    shift_ = nanoseconds(static_cast<std::int64_t>(below(2'000'000'000)) * 600 - 600'000'000'000);
                    all([&](Life& run) { run.die(shift_); });
                    died_ = true;
                    ordered_ = false;
                    break;
                case 3:
                case 4: {
                    std::vector<base::Bytes> each;
                    Pieces expected;
                    for (auto& [id, run] : alone) {
                        each.push_back(run.save(now_, wall_));
                        add_pieces(each.back(), expected);
                    }
                    const base::Bytes saved = together.save(now_, wall_);
                    Pieces pieces;
                    add_pieces(saved, pieces);
                    // After a replay, values that no row needs any more stay for as long as their checkpoint has them.
                    if (!died_) {
                        EXPECT_EQ(pieces, expected) << "the format of saved state";
                    }
                    change_rules();
                    std::size_t i = 0;
                    for (auto at = alone.begin(); at != alone.end(); ++i) {
                        const auto spec = std::ranges::find(rules_, at->first, &RuleSpec::id);
                        if (spec != rules_.end()) at->second.change(plan_of({*spec}), each[i], now_, wall_);
                        at = spec == rules_.end() ? alone.erase(at) : std::next(at);
                    }
                    together.change(plan_of(rules_), below(3) == 0 ? put_together(each) : saved, now_, wall_);
                    add_missing();
                    ordered_ = ordered_ && limited_;
                    break;
                }
                default:
                    break;
            }
            if (testing::Test::HasFailure()) return;
        }
        all([&](Life& run) { run.finish(); });
        compare(together, alone);
    }

private:
    void compare(Life& together, std::map<std::string, Life>& alone) {
        for (const RuleSpec& spec : rules_) {
            Life& run = alone.at(spec.id);
            auto rows = together.rows_of(spec.id);
            auto expected = run.rows_of(spec.id);
            if (!ordered_) {
                std::ranges::sort(rows);
                std::ranges::sort(expected);
            }
            EXPECT_EQ(rows, expected) << spec.id << ": " << spec.sql;
            EXPECT_EQ(together.counters_of(spec.id), run.counters_of(spec.id)) << spec.id << ": " << spec.sql;
        }
    }
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
    template <std::size_t N>
    std::string one_of(const std::array<const char*, N>& texts) {
        return texts[below(N)];
    }
    std::string number(std::uint32_t from, std::uint32_t to) { return std::to_string(from + below(to - from + 1)); }

    struct Base {
        std::string keys;
        std::string where;
        std::string window;
        bool timed = false;
        bool forgets = false;
        std::vector<std::uint32_t> same;  ///< of one_of_same: what its rules keep, mostly
    };
    /// Each is one accumulator, whatever is asked of it.
    std::string one_of_same(std::uint32_t kind) {
        switch (kind) {
            case 0:
                return one_of(std::array{"sum(v)", "avg(v)", "avg(v) * 2"});
            case 1:
                return one_of(std::array{"median(v)", "percentile(v, 0.9)", "percentile(v, 0.2)"});
            case 2:
                return "collect(s)";
            case 3:
                return "max(s)";
            default:
                return one_of(std::array{"last(n)", "last(n) + 1"});
        }
    }
    Base base() {
        Base out = any_base();
        for (std::uint32_t i = 0, count = 1 + below(3); i < count; ++i) out.same.push_back(below(5));
        const bool one_table = out.keys == "d, " && out.window.find("WITH") == std::string::npos;
        if (!one_table && out.where.find("lag") != std::string::npos) out.where.clear();
        return out;
    }
    Base any_base() {
        Base out;
        out.keys = one_of(std::array{"d, ", "d, ", "d, g, ", ""});
        out.where = one_of(std::array{"", "", " WHERE v > 30", " WHERE g <> 'b' AND v IS NOT NULL", " WHERE v / (n - 7) > 0.1",
                                      " WHERE lag(n) OVER (PARTITION BY d) < n"});
        out.forgets = below(3) == 0;
        const std::string ms = number(1, 8) + "00";
        switch (below(6)) {
            case 0:
                out.window = "COUNTWINDOW(" + number(1, 6) + ")";
                return out;
            case 1:
                out.window = "COUNTWINDOW(" + number(3, 7) + ", " + number(1, 3) + ")";
                return out;
            case 2:
                out.window = "TUMBLINGWINDOW(ms, " + ms + ")";
                break;
            case 3:
                out.window = "HOPPINGWINDOW(ms, " + ms + ", " + number(1, 2) + "00)";
                if (ms == "100") out.window = "HOPPINGWINDOW(ms, 600, 400)";
                break;
            case 4:
                out.window = "SLIDINGWINDOW(ms, " + ms + ")";
                break;
            default:
                out.window = "SESSIONWINDOW(ms, " + number(9, 20) + "00, " + ms + ")";
        }
        out.timed = true;
        if (below(2) == 0) out.window += " WITH (timestamp = ts, lateness = '" + number(0, 5) + "00ms')";
        return out;
    }
    RuleSpec rule() {
        const Base& of = bases_[below(static_cast<std::uint32_t>(bases_.size()))];
        std::string items;
        if (!of.keys.empty()) items += "d, ";
        if (of.timed && below(2) == 0) items += "window_start() AS w, ";
        // What grows has to be the same where windows are shared, and where readings are kept all has.
        const bool follows = below(4) != 0;
        const bool keeps_readings =
            of.window.starts_with("SLIDING") || (of.window.starts_with("COUNT") && of.window.find(", ") != std::string::npos);
        for (std::uint32_t i = 0; follows && i < of.same.size(); ++i) items += one_of_same(of.same[i]) + " AS s" + std::to_string(i) + ", ";
        if (follows && !keeps_readings && below(2) == 0)
            items += one_of(std::array{"min(v) AS m, ", "count(v) AS m, ", "stddev(v) AS m, "});
        for (std::uint32_t i = 0, count = follows ? 0 : 1 + below(4); i < count; ++i)
            items += one_of(std::array{"count(*)", "count(v)", "sum(v)", "avg(v)", "min(v)", "max(s)", "stddev(v)", "first(n)", "last(s)",
                                       "median(v)", "percentile(v, 0.9)", "percentile(n, 0.9)", "collect(n)", "collect(s)", "sum(v + s)",
                                       "max(v)", "avg(v) / (count(v) - 1)", "sum(n)"}) +
                     " AS c" + std::to_string(i) + ", ";
        items.resize(items.size() - 2);
        std::string having =
            one_of(std::array{"", "", "", " HAVING count(*) > 1", " HAVING avg(v) > 41", " HAVING median(v) < 42", " HAVING last(n) > 9"});
        if (follows)
            having =
                keeps_readings ? " HAVING " + one_of_same(of.same[0]) + " IS NOT NULL" : one_of(std::array{"", " HAVING count(*) > 1"});
        std::string window = of.window;
        std::string event_time;
        if (const auto with = window.find(" WITH"); with != std::string::npos) {
            event_time = window.substr(with);
            window.resize(with);
        }
        return {.id = "r" + std::to_string(++rule_number_),
                .sql = "SELECT " + items + " FROM 't'" + of.where + " GROUP BY " + of.keys + window + having + event_time,
                .columns_wanted = {},
                .forget_oldest = of.forgets};
    }
    /// Where there is room for few keys, rules that know other keys than those beside them are full at other times; what is new finds
    /// functions that others have warmed up: they may only go.
    void change_rules() {
        if (below(4) == 0) return;  // a restart
        const auto any = [&] { return static_cast<std::ptrdiff_t>(below(static_cast<std::uint32_t>(rules_.size()))); };
        switch (only_go_ ? 0 : below(5)) {
            case 0:
                if (rules_.size() > 1) rules_.erase(rules_.begin() + any());
                break;
            case 1:
                rules_.insert(rules_.begin() + any(), rule());
                break;
            case 2: {
                RuleSpec& changed = rules_[static_cast<std::size_t>(any())];
                const std::string id = changed.id;
                changed = rule();
                changed.id = id;
                break;
            }
            case 3:
                std::ranges::shuffle(rules_, random_);
                break;
            default: {
                RuleSpec& paused = rules_[static_cast<std::size_t>(any())];
                paused.paused = !paused.paused;
            }
        }
    }
    Given next() {
        const nanoseconds pause(1 + (many_keys_ ? below(1'000'000) : below(10) == 0 ? below(1'000'000'000) : below(60'000'000)));
        now_ += pause;
        wall_ += pause;
        const auto ts = base::to_ms(wall_) - (below(5) == 0 ? below(900) : 0) + (below(40) == 0 ? 1500 : 0);
        std::string payload = R"({"d":)" + std::string(below(9) == 0 ? "null" : "\"k" + std::to_string(below(keys_)) + "\"") + R"(,"g":")" +
                              one_of(std::array{"a", "b"}) + R"(","n":)" + std::to_string(++reading_number_) + R"(,"ts":)" +
                              (below(30) == 0 ? std::string("\"when\"") : std::to_string(ts)) + R"(,"s":")" +
                              (below(30) == 0 ? std::string(4200, 'x') : "text " + std::to_string(below(30))) + R"(","v":)" +
                              (below(12) == 0   ? std::string("\"bad\"")
                               : below(12) == 0 ? std::string("null")
                                                : std::to_string(below(6) == 0 ? below(100) : 40 + below(4))) +
                              "}";
        if (below(50) == 0) payload = "{broken";
        return {payload, now_, wall_};
    }

    std::mt19937 random_;
    bool limited_;
    bool only_go_ = false;
    bool many_keys_;
    /// Keys come back from saved state in the order of its records: that of their first reading for whatever rule, or they were about to
    /// change.
    bool ordered_ = true;
    bool died_ = false;
    std::uint32_t keys_;
    base::Monotonic now_;
    base::WallTime wall_;
    nanoseconds shift_{0};
    Engine::Options options_;
    std::vector<Base> bases_;
    std::vector<RuleSpec> rules_;
    std::shared_ptr<const Plan> first_plan_;
    int rule_number_ = 0;
    int reading_number_ = 0;
};

/// SLUICE_WINDOW_SEEDS="17 1" repeats seed 17.
TEST(SharedWindows, rules_give_what_each_gives_in_a_plan_of_its_own) {
    std::uint32_t from = 1;
    std::uint32_t count = 300;
    if (const char* seeds = std::getenv("SLUICE_WINDOW_SEEDS"); seeds != nullptr) {
        char* rest = nullptr;
        from = static_cast<std::uint32_t>(std::strtoul(seeds, &rest, 10));
        count = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(std::strtoul(rest, nullptr, 10)));
    }
    std::size_t shared = 0;
    for (std::uint32_t seed = from; seed < from + count && !testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Fates fates(seed);
        fates.live();
        shared += fates.shared();
    }
    EXPECT_TRUE(count < 100 || shared > count) << "hardly any of them share a window";
}

}  // namespace
}  // namespace sluice::rules
