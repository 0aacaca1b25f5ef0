#include "manage/access/filter_relation.hpp"

namespace sluice::access {
namespace {

/// The levels of a filter, one after the other. `a/` has two, the second one empty.
class Levels {
public:
    explicit Levels(std::string_view filter) : rest_(filter) {}
    [[nodiscard]] bool done() const { return done_; }
    std::string_view next() {
        const std::size_t slash = rest_.find('/');
        const std::string_view level = rest_.substr(0, slash);
        done_ = slash == std::string_view::npos;
        rest_ = done_ ? std::string_view() : rest_.substr(slash + 1);
        return level;
    }

private:
    std::string_view rest_;
    bool done_ = false;
};

bool starts_with_wildcard(std::string_view filter) { return filter.starts_with('+') || filter.starts_with('#'); }

/// §4.7.2: a wildcard at the first level does not see topics that begin with `$`.
bool parted_by_dollar(std::string_view a, std::string_view b) { return starts_with_wildcard(a) && b.starts_with('$'); }

}  // namespace

bool covers(std::string_view outer, std::string_view inner) {
    if (parted_by_dollar(outer, inner)) return false;
    if (outer == "+/#") outer = "#";  // the same topics: `x/#` matches `x` as well (§4.7.1.2)
    Levels of_outer(outer);
    Levels of_inner(inner);
    while (!of_outer.done()) {
        const std::string_view level = of_outer.next();
        if (level == "#") return true;
        if (of_inner.done()) return false;
        const std::string_view other = of_inner.next();
        if (other == "#") return false;  // deeper than the outer one reaches
        if (level != "+" && level != other) return false;
    }
    return of_inner.done();
}

bool overlap(std::string_view a, std::string_view b) {
    if (parted_by_dollar(a, b) || parted_by_dollar(b, a)) return false;
    Levels of_a(a);
    Levels of_b(b);
    while (!of_a.done() && !of_b.done()) {
        const std::string_view one = of_a.next();
        const std::string_view other = of_b.next();
        if (one == "#" || other == "#") return true;
        if (one != "+" && other != "+" && one != other) return false;
    }
    if (of_a.done() && of_b.done()) return true;
    return (of_a.done() ? of_b : of_a).next() == "#";
}

}  // namespace sluice::access
