#include "sim/system_shrink.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sim/system_defect.hpp"

namespace sluice::sim {

namespace {

/// Other moments that a smaller plan is tried with.
constexpr std::uint64_t kSalts = 6;

class Shrinker {
public:
    Shrinker(const SystemPlan& plan, Defect defect, std::uint64_t runs_max, const std::function<void(const SystemPlan&)>& progress)
        : defect_(defect), runs_max_(runs_max), progress_(progress), best_{.plan = plan, .result = simulate(plan, defect), .runs = 1} {}

    Shrunk run() {
        for (bool smaller = true; smaller && best_.runs < runs_max_;) {
            smaller = false;
            for (const auto& field : plan_fields())
                if (field.name != "salt") smaller = shrink_field(field) || smaller;
        }
        return best_;
    }

private:
    bool shrink_field(const PlanField& field) {
        bool smaller = false;
        while (best_.runs < runs_max_) {
            const auto now = field.get(best_.plan);
            if (now == field.calm) return smaller;
            const bool held = try_value(field, field.calm) ||
                              (now > field.calm + 2 && try_value(field, field.calm + (now - field.calm) / 2)) ||
                              (now > field.calm + 1 && now - field.calm < kByOne && try_value(field, now - 1));
            if (!held) return smaller;
            smaller = true;
        }
        return smaller;
    }

    bool try_value(const PlanField& field, std::uint64_t value) {
        for (std::uint64_t salt = 0; salt < kSalts && best_.runs < runs_max_; ++salt) {
            auto plan = best_.plan;
            field.set(plan, value);
            plan.salt = static_cast<std::uint32_t>((best_.plan.salt + salt) % kSalts);
            auto result = simulate(plan, defect_);
            ++best_.runs;
            if (result.verdict.checker != best_.result.verdict.checker) continue;
            best_.plan = plan;
            best_.result = std::move(result);
            progress_(plan);
            return true;
        }
        return false;
    }

    static constexpr std::uint64_t kByOne = 20;  ///< numbers up to here are worth single steps

    Defect defect_;
    std::uint64_t runs_max_;
    const std::function<void(const SystemPlan&)>& progress_;
    Shrunk best_;
};

}  // namespace

Shrunk shrink(const SystemPlan& plan, Defect defect, std::uint64_t runs_max, const std::function<void(const SystemPlan&)>& progress) {
    return Shrinker(plan, defect, runs_max, progress).run();
}

std::string repeat_with(const SystemPlan& plan, Defect defect) {
    auto text = fmt::format("sluice_simulate --seed {} --family {}", plan.seed, name(plan.family));
    if (defect != Defect::none) text += fmt::format(" --defect {}", kDefects[static_cast<std::size_t>(defect)].name);
    const auto original = plan_of_seed(plan.seed, plan.family);
    for (const auto& field : plan_fields())
        if (field.get(plan) != field.get(original)) text += fmt::format(" --set {}={}", field.name, field.get(plan));
    return text;
}

}  // namespace sluice::sim
