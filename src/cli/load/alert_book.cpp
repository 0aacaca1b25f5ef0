#include "cli/load/alert_book.hpp"

#include <charconv>

namespace sluice::load {
namespace {

/// The digits behind a marker, as a number.
template <class Number>
bool read_after(std::string_view text, std::string_view marker, Number& out) {
    const auto at = text.find(marker);
    if (at == std::string_view::npos) return false;
    const char* from = text.data() + at + marker.size();
    return std::from_chars(from, text.data() + text.size(), out).ec == std::errc{};
}

}  // namespace

std::optional<AlertKey> read_alert(std::string_view json) {
    AlertKey key{};
    if (!read_after(json, R"("device":"sensor-)", key.sensor) || !read_after(json, R"("seq":)", key.sequence)) return std::nullopt;
    if (key.sequence == 0) return std::nullopt;
    return key;
}

bool AlertBook::note(std::string_view json) {
    const auto key = read_alert(json);
    if (!key) {
        ++strange_;
        return false;
    }
    ++count_;
    ++seen_[*key];
    return true;
}

AlertBook::Comparison AlertBook::compare(const plant::Expected& expected) const {
    Comparison out;
    out.strange = strange_;
    out.spikes = expected.spikes;
    out.ties = expected.ties;
    std::uint64_t answered = 0;  // readings seen that were expected or tied
    for (const auto& alert : expected.alerts) {
        const auto seen = seen_.find({alert.sensor, alert.sequence});
        const std::uint32_t times = seen == seen_.end() ? 0 : seen->second;
        if (times != 0) ++answered;
        if (alert.spike && times == 1) ++out.spikes_exact;
        if (alert.tie) continue;
        ++out.expected;
        if (times == 0) ++out.missing;
        if (times == 1) ++out.exact;
    }
    for (const auto& [key, times] : seen_) {
        if (times > 1) ++out.repeated;
    }
    out.unexpected = seen_.size() - answered;
    return out;
}

}  // namespace sluice::load
