#include "cli/demo/cloud_book.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "cli/plant/reference.hpp"

namespace sluice::demo {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kReadingsPerAverage = 10;
constexpr std::uint64_t kReadingsPerSample = 1000;
// A mean of ten values of thousandths, each way of adding them included.
constexpr double kAverageTolerance = 1e-12;

std::optional<std::uint32_t> sensor_of(const json::object& data) {
    const json::value* device = data.if_contains("device");
    if (device == nullptr || !device->is_string()) return std::nullopt;
    constexpr std::string_view kPrefix = "sensor-";
    const std::string_view name(device->get_string());
    if (!name.starts_with(kPrefix)) return std::nullopt;
    std::uint32_t sensor = 0;
    const auto read = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), sensor);
    if (read.ec != std::errc{} || read.ptr != name.data() + name.size()) return std::nullopt;
    return sensor;
}

std::uint64_t number(const json::object& object, std::string_view key) {
    const json::value* found = object.if_contains(key);
    if (found == nullptr || !found->is_number()) return 0;
    boost::system::error_code inexact;
    const auto value = found->to_number<std::uint64_t>(inexact);
    return inexact ? 0 : value;
}

std::string_view text(const json::object& object, std::string_view key) {
    const json::value* found = object.if_contains(key);
    return found != nullptr && found->is_string() ? std::string_view(found->get_string()) : std::string_view{};
}

}  // namespace

base::Result<std::optional<std::uint64_t>> CloudBook::add_page(std::string_view body) {
    boost::system::error_code bad;
    const json::value page = json::parse(body, bad);
    if (bad || !page.is_object()) return base::Error{base::Errc::malformed};
    const json::value* events = page.get_object().if_contains("events");
    if (events == nullptr || !events->is_array()) return base::Error{base::Errc::malformed};
    for (const json::value& each : events->get_array()) {
        if (!each.is_object()) return base::Error{base::Errc::malformed};
        const json::object& event = each.get_object();
        const json::value* data = event.if_contains("data");
        if (data == nullptr || !data->is_object()) return base::Error{base::Errc::malformed};
        const std::string name(text(event, "class"));
        ClassBook& book = classes_[name];
        ++book.events;
        const auto [at, is_new_epoch] = last_.try_emplace({name, number(event, "epoch")}, 0);
        if (is_new_epoch) ++book.epochs;
        const std::uint64_t sequence = number(event, "seq");
        if (sequence <= at->second) {
            ++book.repeated;
        } else {
            book.missing += sequence - at->second - 1;
            at->second = sequence;
        }
        const std::string_view rule = text(event, "rule");
        const auto sensor = sensor_of(data->get_object());
        if (rule == "vibration-anomaly") {
            alerts_.note(json::serialize(*data));
        } else if (rule == "vibration-average" && sensor) {
            const json::value* average = data->get_object().if_contains("average_vibration");
            const double value = average != nullptr && average->is_number() ? average->to_number<double>() : std::nan("");
            averages_[*sensor].push_back({value, number(data->get_object(), "samples")});
        } else if (rule == "raw-sample" && sensor) {
            samples_[*sensor].push_back(number(data->get_object(), "seq"));
        } else {
            ++(name == "aggregate" ? strange_averages_ : strange_samples_);
        }
    }
    const json::value* next = page.get_object().if_contains("next");
    if (next == nullptr || next->is_null()) return std::optional<std::uint64_t>{};
    return std::optional<std::uint64_t>{number(page.get_object(), "next")};
}

CloudBook::Contents CloudBook::check_contents(const plant::Options& options, const std::vector<std::uint32_t>& published) const {
    Contents out;
    out.averages_wrong = strange_averages_;
    out.samples_wrong = strange_samples_;
    plant::Plant plant(options);
    std::vector<double> expected;
    for (std::uint32_t sensor = 0; sensor < options.sensors; ++sensor) {
        expected.clear();
        double sum = 0;
        for (std::uint32_t i = 1; i <= published[sensor]; ++i) {
            char payload[plant::kPayloadBytesMax];
            const std::size_t size = plant::render(plant.next(sensor), 0, payload);
            sum += plant::published_vibration({payload, size});
            if (i % kReadingsPerAverage != 0) continue;
            expected.push_back(sum / static_cast<double>(kReadingsPerAverage));
            sum = 0;
        }
        out.averages_expected += expected.size();
        const auto found = averages_.find(sensor);
        const std::vector<Average> none;
        const std::vector<Average>& stored = found == averages_.end() ? none : found->second;
        for (std::size_t i = 0; i < stored.size(); ++i) {
            const bool right = i < expected.size() && stored[i].samples == kReadingsPerAverage &&
                               std::fabs(stored[i].value - expected[i]) <= kAverageTolerance * std::fabs(expected[i]);
            if (!right) ++out.averages_wrong;
        }
        const std::uint64_t samples = published[sensor] / kReadingsPerSample;
        out.samples_expected += samples;
        const auto sampled = samples_.find(sensor);
        if (sampled == samples_.end()) continue;
        for (std::size_t i = 0; i < sampled->second.size(); ++i) {
            if (i >= samples || sampled->second[i] != (i + 1) * kReadingsPerSample) ++out.samples_wrong;
        }
    }
    const auto beyond = averages_.lower_bound(options.sensors);
    for (auto at = beyond; at != averages_.end(); ++at) out.averages_wrong += at->second.size();
    for (auto at = samples_.lower_bound(options.sensors); at != samples_.end(); ++at) out.samples_wrong += at->second.size();
    return out;
}

}  // namespace sluice::demo
