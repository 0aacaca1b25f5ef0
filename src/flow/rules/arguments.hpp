// The arguments of a call, evaluated when asked for: a function that does not need one does not pay for it.
#pragma once

#include <cmath>

#include "flow/rules/expression.hpp"

namespace sluice::rules {

/// A getter that says false has met a NULL or another type: the call's value is then nothing().
class Arguments {
public:
    Arguments(Scope& scope, const Node& node) : scope_(scope), ids_(scope.program->arguments.data() + node.a), count_(node.b) {}
    [[nodiscard]] std::uint32_t size() const { return count_; }
    [[nodiscard]] Value at(std::uint32_t i) const { return evaluate(scope_, ids_[i]); }

    [[nodiscard]] bool text(std::uint32_t i, std::string_view& to) const {
        const Value value = at(i);
        if (!value.is_text()) return refuse(value);
        to = value.as_view();
        return true;
    }
    [[nodiscard]] bool number(std::uint32_t i, double& to) const {
        const Value value = at(i);
        if (!value.is_numeric()) return refuse(value);
        to = value.as_double();
        return true;
    }
    /// What stands behind a point is left out.
    [[nodiscard]] bool whole(std::uint32_t i, std::int64_t& to) const {
        const Value value = at(i);
        if (!value.is_numeric()) return refuse(value);
        constexpr double kTwo63 = 9223372036854775808.0;
        if (value.kind() == json::Kind::number && !(std::fabs(value.as_number()) < kTwo63)) return refuse(value);
        to = value.kind() == json::Kind::integer ? value.as_integer() : static_cast<std::int64_t>(value.as_number());
        return true;
    }
    /// The same, and `otherwise` where the argument was left out.
    [[nodiscard]] bool whole_or(std::uint32_t i, std::int64_t otherwise, std::int64_t& to) const {
        to = otherwise;
        return i >= count_ || whole(i, to);
    }
    /// An array's text.
    [[nodiscard]] bool array(std::uint32_t i, std::string_view& to) const { return raw(i, '[', to); }
    [[nodiscard]] bool object(std::uint32_t i, std::string_view& to) const { return raw(i, '{', to); }
    /// The compiled pattern of an argument with letter r.
    [[nodiscard]] const Pattern& pattern(std::uint32_t i) const { return *scope_.program->patterns[scope_.program->nodes[ids_[i]].a]; }

    /// NULL; counted as a bad value where it was no NULL that a getter met.
    [[nodiscard]] Value nothing() const { return bad_ ? bad_value(scope_) : Value::null(); }

private:
    bool refuse(const Value& value) const {
        bad_ = !value.is_null();
        return false;
    }
    [[nodiscard]] bool raw(std::uint32_t i, char opening, std::string_view& to) const {
        const Value value = at(i);
        if (value.kind() != json::Kind::raw || value.as_view().front() != opening) return refuse(value);
        to = value.as_view();
        return true;
    }

    Scope& scope_;
    const NodeId* ids_;
    std::uint32_t count_;
    mutable bool bad_ = false;
};

}  // namespace sluice::rules
