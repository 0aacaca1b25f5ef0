#include "flow/rules/state_methods.hpp"

namespace sluice::rules {

const StateMethods* methods_of(Function function) {
    switch (function) {
        case Function::robust_z:
            return &kRobustMethods;
        case Function::beyond:
            return &kBeyondMethods;
        case Function::adaptive:
            return &kAdaptiveMethods;
        case Function::adaptive_alarm:
        case Function::adaptive_average:
        case Function::adaptive_baseline:
        case Function::adaptive_limit:
            return &kAdaptiveViews;
        case Function::stuck:
            return &kStuckMethods;
        case Function::gap:
            return &kGapMethods;
        case Function::last_hit_time:
            return &kHitTimeMethods;
        case Function::last_hit_count:
            return &kHitCountMethods;
        default:
            return nullptr;
    }
}

}  // namespace sluice::rules
