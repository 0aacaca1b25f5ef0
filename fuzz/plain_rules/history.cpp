#include "history.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sluice::rules::plain {
namespace {

bool needs_number(const std::string& function) {
    static const std::vector<std::string> kOthers = {"count", "min", "max", "first", "last", "collect", "lag", "changed"};
    return std::find(kOthers.begin(), kOthers.end(), function) == kOthers.end();
}

bool taken(const std::string& function, const Datum& value) {
    if (function == "episode") return std::holds_alternative<bool>(value);
    if (is_number(value)) return std::isfinite(real(value));
    return !needs_number(function) && !is_null(value);
}

std::vector<double> reals(const std::vector<Datum>& values) {
    std::vector<double> result;
    result.reserve(values.size());
    for (const Datum& value : values) result.push_back(real(value));
    return result;
}

double mean(const std::vector<double>& x) { return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size()); }

/// Mean of the deviations from the mean to the power of `power`.
double moment(const std::vector<double>& x, int power) {
    const double centre = mean(x);
    double sum = 0;
    for (const double value : x) sum += std::pow(value - centre, power);
    return sum / static_cast<double>(x.size());
}

Datum sum(const std::vector<Datum>& values) {
    if (std::all_of(values.begin(), values.end(), [](const Datum& value) { return std::holds_alternative<std::int64_t>(value); })) {
        std::int64_t total = 0;
        for (const Datum& value : values) total += std::get<std::int64_t>(value);
        return total;
    }
    const auto x = reals(values);
    return std::accumulate(x.begin(), x.end(), 0.0);
}

double percentile(std::vector<double> x, double p) {
    std::sort(x.begin(), x.end());
    const double rank = p * static_cast<double>(x.size() - 1);
    const auto below = static_cast<std::size_t>(rank);
    const double share = rank - static_cast<double>(below);
    return share == 0 ? x[below] : x[below] + share * (x[below + 1] - x[below]);
}

Datum extreme(const std::vector<Datum>& values, int wanted) {
    Datum best = values.front();
    for (const Datum& value : values) {
        const Ordering ordering = order(value, best);
        if (ordering.known && ordering.sign == wanted) best = value;
    }
    return best;
}

Datum zscore(const std::vector<double>& all, std::size_t n) {
    if (all.size() <= n) return Null{};
    const double x = all.back();
    const std::vector<double> window(all.end() - static_cast<std::ptrdiff_t>(n) - 1, all.end() - 1);
    const auto [least, greatest] = std::minmax_element(window.begin(), window.end());
    if (*least == *greatest) return x == *least ? 0.0 : x > *least ? INFINITY : -INFINITY;
    const double variance = moment(window, 2) * static_cast<double>(n) / static_cast<double>(n - 1);
    return (x - mean(window)) / std::sqrt(variance);
}

Datum shape(const std::string& function, const std::vector<double>& all, std::size_t n) {
    if (all.size() < n) return Null{};
    const std::vector<double> x(all.end() - static_cast<std::ptrdiff_t>(n), all.end());
    if (function == "kurtosis") {
        const auto [least, greatest] = std::minmax_element(x.begin(), x.end());
        if (*least == *greatest) return Null{};
        return moment(x, 4) / std::pow(moment(x, 2), 2);
    }
    double squares = 0;
    double peak = 0;
    for (const double value : x) {
        squares += value * value;
        peak = std::max(peak, std::fabs(value));
    }
    const double rms = std::sqrt(squares / static_cast<double>(n));
    if (function == "rms") return rms;
    if (rms == 0) return Null{};
    return peak / rms;
}

Datum changed(const std::vector<Datum>& values, double deadband) {
    Datum kept = values.front();
    bool result = true;
    for (std::size_t i = 1; i < values.size(); ++i) {
        const Ordering ordering = order(values[i], kept);
        if (is_number(values[i]) && is_number(kept) && deadband > 0)
            result = std::fabs(real(values[i]) - real(kept)) > deadband;
        else
            result = !ordering.known || ordering.sign != 0;
        if (result) kept = values[i];
    }
    return result;
}

Datum episode(const std::vector<Datum>& values, std::int64_t on, std::int64_t off) {
    bool active = false;
    std::int64_t run = 0;
    Datum result = Null{};
    for (const Datum& value : values) {
        result = Null{};
        run = is_true(value) == active ? 0 : run + 1;
        if (run < (active ? off : on)) continue;
        active = !active;
        run = 0;
        result = std::string(active ? "onset" : "clear");
    }
    return result;
}

}  // namespace

Datum stateful(const std::string& function, const std::vector<Datum>& values, const Parameters& parameters) {
    const auto whole = [&](std::size_t i) { return std::get<std::int64_t>(parameters[i]); };
    if (function == "every") return static_cast<std::int64_t>(values.size()) % whole(0) == 0;
    if (!taken(function, values.back())) return Null{};
    std::vector<Datum> good;
    std::copy_if(values.begin(), values.end(), std::back_inserter(good), [&](const Datum& value) { return taken(function, value); });
    if (function == "lag") {
        const auto back = static_cast<std::size_t>(parameters.empty() ? 1 : whole(0));
        return good.size() > back ? good[good.size() - 1 - back] : Datum(Null{});
    }
    if (function == "changed") return changed(good, parameters.empty() ? 0 : real(parameters[0]));
    if (function == "episode") return episode(good, whole(0), whole(1));
    if (function == "delta") {
        if (good.size() < 2) return Null{};
        const Datum& a = good[good.size() - 1];
        const Datum& b = good[good.size() - 2];
        if (std::holds_alternative<std::int64_t>(a) && std::holds_alternative<std::int64_t>(b))
            return std::get<std::int64_t>(a) - std::get<std::int64_t>(b);
        return real(a) - real(b);
    }
    const auto x = reals(good);
    if (function == "ewma") {
        double result = x.front();
        for (std::size_t i = 1; i < x.size(); ++i) result = real(parameters[0]) * x[i] + (1 - real(parameters[0])) * result;
        return result;
    }
    const auto n = static_cast<std::size_t>(whole(0));
    return function == "zscore" ? zscore(x, n) : shape(function, x, n);
}

Datum aggregate(const std::string& function, const std::vector<Datum>& values, bool rows, const Parameters& parameters) {
    if (rows) return static_cast<std::int64_t>(values.size());
    std::vector<Datum> good;
    std::copy_if(values.begin(), values.end(), std::back_inserter(good), [&](const Datum& value) { return taken(function, value); });
    if (function == "count") return static_cast<std::int64_t>(good.size());
    if (function == "collect") {
        std::string json = "[";
        for (const Datum& value : good) json += (json.size() > 1 ? "," : "") + to_json(value);
        return List{json + "]"};
    }
    if (good.empty()) return Null{};
    if (function == "first") return good.front();
    if (function == "last") return good.back();
    if (function == "min" || function == "max") return extreme(good, function == "min" ? -1 : 1);
    if (function == "sum") return sum(good);
    const auto x = reals(good);
    if (function == "avg") return mean(x);
    if (function == "median") return percentile(x, 0.5);
    if (function == "percentile") return percentile(x, real(parameters[0]));
    const bool sample = function.ends_with("s");
    if (sample && x.size() < 2) return Null{};
    const double n = static_cast<double>(x.size());
    const double variance = moment(x, 2) * (sample ? n / (n - 1) : 1);
    return function.starts_with("std") ? std::sqrt(variance) : variance;
}

Datum over_rows(const std::string& function, const std::vector<Datum>& values, bool rows, std::size_t preceding,
                const Parameters& parameters) {
    if (!rows && !taken(function, values.back())) return Null{};
    std::vector<Datum> good;
    std::copy_if(values.begin(), values.end(), std::back_inserter(good),
                 [&](const Datum& value) { return rows || taken(function, value); });
    if (good.size() > preceding + 1) good.erase(good.begin(), good.end() - static_cast<std::ptrdiff_t>(preceding) - 1);
    return aggregate(function, good, rows, parameters);
}

}  // namespace sluice::rules::plain
