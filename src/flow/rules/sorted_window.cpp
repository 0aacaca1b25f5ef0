#include "flow/rules/sorted_window.hpp"

#include <algorithm>
#include <cstring>

namespace sluice::rules {
namespace {

double middle(double a, double b) { return a == b ? a : a / 2 + b / 2; }

/// The k-th smallest (from 0) of two ascending sequences that are given as functions of an index.
template <class A, class B>
double kth_of_two(std::size_t k, std::size_t a_size, const A& a, std::size_t b_size, const B& b) {
    std::size_t low = k > b_size ? k - b_size : 0;
    std::size_t high = std::min(k, a_size);
    // The first i with a(i) >= b(k - i - 1): i values of `a` are among the k smallest.
    while (low < high) {
        const std::size_t i = (low + high) / 2;
        if (a(i) < b(k - i - 1))
            low = i + 1;
        else
            high = i;
    }
    if (low == a_size) return b(k - low);
    if (k - low == b_size) return a(low);
    return std::min(a(low), b(k - low));
}

}  // namespace

void SortedWindow::push(double x, double* ring, double* sorted, std::uint32_t size) {
    if (count < size) {
        double* const place = std::upper_bound(sorted, sorted + count, x);
        std::memmove(place + 1, place, static_cast<std::size_t>(sorted + count - place) * sizeof(double));
        *place = x;
        ring[count++] = x;
        return;
    }
    double* const from = std::lower_bound(sorted, sorted + count, ring[head]);
    ring[head] = x;
    head = head + 1 == size ? 0 : head + 1;
    double* place = std::upper_bound(sorted, sorted + count, x);
    if (place > from) {
        --place;  // everything behind the value that left moves down by one
        std::memmove(from, from + 1, static_cast<std::size_t>(place - from) * sizeof(double));
    } else {
        std::memmove(place + 1, place, static_cast<std::size_t>(from - place) * sizeof(double));
    }
    *place = x;
}

double median_of_sorted(std::span<const double> sorted) {
    const std::size_t n = sorted.size();
    return n % 2 == 1 ? sorted[n / 2] : middle(sorted[n / 2 - 1], sorted[n / 2]);
}

double median_deviation_of_sorted(std::span<const double> sorted) {
    const std::size_t n = sorted.size();
    const double median = median_of_sorted(sorted);
    const auto split = static_cast<std::size_t>(std::lower_bound(sorted.begin(), sorted.end(), median) - sorted.begin());
    const auto below = [&](std::size_t i) { return median - sorted[split - 1 - i]; };
    const auto above = [&](std::size_t i) { return sorted[split + i] - median; };
    const double upper = kth_of_two(n / 2, split, below, n - split, above);
    return n % 2 == 1 ? upper : middle(kth_of_two(n / 2 - 1, split, below, n - split, above), upper);
}

}  // namespace sluice::rules
