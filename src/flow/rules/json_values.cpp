#include "flow/rules/json_values.hpp"

#include <charconv>

#include "codec/json/scanner.hpp"
#include "codec/json/walk.hpp"

namespace sluice::rules {
namespace {

/// One step of a path, from its front.
struct Step {
    std::string_view key;
    std::int64_t index = 0;
    bool by_index = false;
};

constexpr bool ends_name(char c) { return c == '.' || c == '[' || c == ']'; }

/// False: `path` does not begin with a step; it is then at the mistake.
bool take_step(std::string_view& path, bool first, Step& step) {
    if (path.starts_with("[")) {
        std::string_view rest = path.substr(1);
        const char quote = rest.empty() ? '\0' : rest.front();
        if (quote == '"' || quote == '\'') {
            const std::size_t stop = rest.find(quote, 1);
            if (stop == std::string_view::npos || rest.substr(stop + 1, 1) != "]") return false;
            step = {.key = rest.substr(1, stop - 1)};
            path = rest.substr(stop + 2);
            return true;
        }
        const auto [stop, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), step.index);
        const auto digits = static_cast<std::size_t>(stop - rest.data());
        if (problem != std::errc{} || rest.substr(digits, 1) != "]") return false;
        step.by_index = true;
        path = rest.substr(digits + 1);
        return true;
    }
    std::string_view rest = path;
    if (rest.starts_with("."))
        rest.remove_prefix(1);
    else if (!first)
        return false;
    std::size_t stop = 0;
    while (stop < rest.size() && !ends_name(rest[stop])) ++stop;
    if (stop == 0) return false;
    step = {.key = rest.substr(0, stop)};
    path = rest.substr(stop);
    return true;
}

/// Calls `visit` with each step until it says false. Gives the place of the first mistake.
template <class Visit>
std::size_t for_each_step(std::string_view path, const Visit& visit) {
    std::string_view rest = path;
    const bool rooted = rest.starts_with("$");
    if (rooted) rest.remove_prefix(1);
    for (bool first = !rooted; !rest.empty(); first = false) {
        Step step;
        if (!take_step(rest, first, step)) return path.size() - rest.size();
        if (!visit(step)) break;
    }
    return kPathGood;
}

}  // namespace

Value item_value(Scope& scope, std::string_view item) {
    const Value value = json::value_of(item);
    if (value.is_beyond_range()) return bad_value(scope);
    if (!value.is_text() || !json::is_escaped(value.as_view())) return value;
    char* to = scope.arena->allocate(value.as_view().size());
    if (to == nullptr) return bad_value(scope);
    return Value::text({to, static_cast<std::size_t>(json::unescape(value.as_view(), to) - to)});
}

std::string_view key_text(Scope& scope, std::string_view written) {
    if (!json::is_escaped(written)) return written;
    char* to = scope.arena->allocate(written.size());
    if (to == nullptr) return {};
    return {to, static_cast<std::size_t>(json::unescape(written, to) - to)};
}

Value member(Scope& scope, std::string_view object, std::string_view key) {
    std::string_view found;
    for (json::Walk walk(object); walk.next();) {
        if (key_text(scope, walk.key()) == key) found = walk.item();
    }
    return found.data() == nullptr ? Value{} : item_value(scope, found);
}

Value element(Scope& scope, std::string_view array, std::int64_t index) {
    if (index < 0) index += item_count(array);
    if (index < 0) return Value{};
    for (json::Walk walk(array); walk.next(); --index) {
        if (index == 0) return item_value(scope, walk.item());
    }
    return Value{};
}

std::int64_t item_count(std::string_view raw) {
    std::int64_t count = 0;
    for (json::Walk walk(raw); walk.next();) ++count;
    return count;
}

std::size_t json_path_problem(std::string_view path) {
    return for_each_step(path, [](const Step&) { return true; });
}

Value follow(Scope& scope, const Value& from, std::string_view path) {
    Value at = from;
    const std::size_t problem = for_each_step(path, [&](const Step& step) {
        const bool inside = at.kind() == json::Kind::raw && (step.by_index ? json::is_array(at.as_view()) : json::is_object(at.as_view()));
        at = !inside ? Value{} : step.by_index ? element(scope, at.as_view(), step.index) : member(scope, at.as_view(), step.key);
        return inside;
    });
    return problem == kPathGood ? at : bad_value(scope);
}

}  // namespace sluice::rules
