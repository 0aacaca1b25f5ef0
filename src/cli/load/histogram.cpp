#include "cli/load/histogram.hpp"

#include <fmt/format.h>

namespace sluice::load {

std::string to_json(const Histogram& histogram) {
    const auto ms = [](std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e6; };
    if (histogram.count() == 0) return "null";
    return fmt::format(R"({{"count":{},"p50":{:.3f},"p99":{:.3f},"p99_9":{:.3f},"max":{:.3f}}})", histogram.count(),
                       ms(histogram.quantile(0.5)), ms(histogram.quantile(0.99)), ms(histogram.quantile(0.999)), ms(histogram.max()));
}

}  // namespace sluice::load
