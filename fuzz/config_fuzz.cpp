// links: sluice_manage_config
// Any text as a configuration of either tier: no crash, every problem with a place inside the file, and the same answer twice.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "manage/config/load.hpp"

namespace {

using namespace sluice;

void require(bool condition) {
    if (!condition) std::abort();
}

/// What a checker of rules does with positions, for every offset.
class EveryOffset final : public config::RuleChecker {
public:
    explicit EveryOffset(std::uint32_t lines) : lines_(lines) {}
    void check(const config::GatewayConfig& config, config::Problems& problems) override {
        for (const auto& rule : config.rules) {
            walk(rule.sql);
            for (const auto& destination : rule.to) walk(destination.topic);
        }
        problems.push_back({config::Severity::note, {}, {}, "checked", false});
    }

private:
    void walk(const config::LocatedText& text) const {
        for (std::size_t offset = 0; offset <= text.value.size() + 1; ++offset) {
            const auto at = text.position(offset);
            require(at.line >= 1 && at.column >= 1 && at.line <= lines_);
        }
    }
    std::uint32_t lines_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 64 * 1024) return 0;
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto lines = static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    EveryOffset rules(lines);
    const auto gateway = config::read_gateway(text, "fuzz.yaml", nullptr, &rules);
    const auto cloud = config::read_cloud(text, "fuzz.yaml", nullptr);
    for (const auto& problem : gateway.problems) require(problem.at.line >= 1 && problem.at.line <= lines && problem.at.column >= 1);
    for (const auto& problem : cloud.problems) require(problem.at.line >= 1 && problem.at.line <= lines && problem.at.column >= 1);
    require(gateway.text() == config::read_gateway(text, "fuzz.yaml", nullptr, &rules).text());
    static_cast<void>(config::to_json("fuzz.yaml", gateway.problems));
    // A file that one tier takes without complaint is refused by the other: they have different top keys.
    require(!(gateway.is_valid() && cloud.is_valid()));
    return 0;
}
