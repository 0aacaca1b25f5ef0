#include "flow/rules/pattern.hpp"

#include <algorithm>
#include <array>

#include <re2/re2.h>

namespace sluice::rules {
namespace {

/// For the program and the states that matching makes up; beyond it RE2 matches by a slower way.
constexpr int kBytesMax = 1 << 20;

}  // namespace

Pattern::Pattern(std::unique_ptr<re2::RE2> compiled) : compiled_(std::move(compiled)) {}
Pattern::~Pattern() = default;

std::shared_ptr<const Pattern> Pattern::make(std::string_view text, Problem& problem) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kBytesMax);
    auto compiled = std::make_unique<re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
    if (compiled->ok()) return std::shared_ptr<const Pattern>(new Pattern(std::move(compiled)));
    const std::size_t at = text.find(compiled->error_arg());
    problem = {.message = compiled->error(), .offset = at == std::string_view::npos ? 0 : at};
    return nullptr;
}

bool Pattern::find(std::string_view text, std::size_t from, std::span<std::string_view> groups) const {
    std::array<re2::StringPiece, kGroupsMax> found;
    const std::size_t count = std::min(groups.size(), kGroupsMax);
    if (!compiled_->Match({text.data(), text.size()}, from, text.size(), re2::RE2::UNANCHORED, found.data(), static_cast<int>(count)))
        return false;
    for (std::size_t i = 0; i < count; ++i) groups[i] = {found[i].data(), found[i].size()};
    return true;
}

std::string_view Pattern::text() const { return compiled_->pattern(); }

std::size_t Pattern::groups() const { return static_cast<std::size_t>(compiled_->NumberOfCapturingGroups()); }

}  // namespace sluice::rules
