#include "flow/rules/problems.hpp"

#include <algorithm>
#include <array>

namespace sluice::rules {
namespace {

/// Problems beyond this many help nobody.
constexpr std::size_t kProblemsMax = 50;
constexpr std::size_t kWordMax = 32;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours cost 1 each.
std::size_t distance(std::string_view a, std::string_view b) {
    std::array<std::array<std::size_t, kWordMax + 1>, kWordMax + 1> cost{};
    for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t same = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
            cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + same});
            const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
            if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a.size()][b.size()];
}

}  // namespace

void Problems::add(std::size_t offset, std::string message, Severity severity) {
    fatal_ = fatal_ || severity != Severity::warning;
    if (list_.size() >= kProblemsMax) return;
    offset = std::min(offset, sql_.size());
    SqlError problem{.offset = offset, .message = std::move(message), .severity = severity};
    for (const char c : sql_.substr(0, offset)) {
        if (c == '\n') {
            ++problem.line;
            problem.column = 1;
        } else {
            ++problem.column;
        }
    }
    const bool known = std::any_of(list_.begin(), list_.end(),
                                   [&](const SqlError& other) { return other.offset == offset && other.message == problem.message; });
    if (!known) list_.push_back(std::move(problem));
}

std::vector<SqlError> Problems::take() {
    std::stable_sort(list_.begin(), list_.end(), [](const SqlError& a, const SqlError& b) { return a.offset < b.offset; });
    return std::move(list_);
}

std::string_view most_like(std::string_view word, std::span<const std::string_view> candidates) {
    if (word.empty() || word.size() > kWordMax) return {};
    std::string_view best;
    std::size_t best_distance = std::min<std::size_t>(3, word.size() / 2 + 1);  // not more than half of it wrong, and below 3
    for (const std::string_view candidate : candidates) {
        if (candidate.size() > kWordMax) continue;
        const std::size_t d = distance(word, candidate);
        if (d < best_distance) {
            best = candidate;
            best_distance = d;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
    const std::string_view best = most_like(word, candidates);
    return best.empty() ? std::string{} : "; did you mean " + std::string(best) + "?";
}

std::string lower_case(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), lower);
    return result;
}

bool same_word(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace sluice::rules
