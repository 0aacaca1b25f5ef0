#include "flow/rules/aggregates.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codec/json/writer.hpp"
#include "flow/rules/state_bytes.hpp"

namespace sluice::rules {
namespace {

using json::Kind;

/// Whole numbers are summed exactly as long as they fit; the first other number moves the sum into floats.
struct Total {
    std::uint64_t count;
    std::int64_t whole;
    device::CompensatedSum real;
    std::uint64_t is_real;
};

struct Values {
    std::uint32_t list;      ///< handle; 0: none yet
    std::uint32_t overflow;  ///< 1: more values than may be kept; there is no result
};

struct TimedValue {
    std::int64_t at;
    StoredValue value;
};

bool is_by_time(Accumulator kind) { return kind >= Accumulator::first_by_time; }
bool keeps_value(Accumulator kind) { return (kind >= Accumulator::least && kind <= Accumulator::last) || is_by_time(kind); }

template <class T>
T& as(std::byte* state) {
    return *reinterpret_cast<T*>(state);
}
template <class T>
const T& as(const std::byte* state) {
    return *reinterpret_cast<const T*>(state);
}

StoredValue& kept(Accumulator kind, std::byte* state) { return is_by_time(kind) ? as<TimedValue>(state).value : as<StoredValue>(state); }
const StoredValue& kept(Accumulator kind, const std::byte* state) {
    return is_by_time(kind) ? as<TimedValue>(state).value : as<StoredValue>(state);
}

void to_real(Total& total) {
    if (total.is_real != 0) return;
    total.is_real = 1;
    total.real = {};
    if (total.whole != 0) total.real.push(static_cast<double>(total.whole));
}

void add(Total& total, const Value& value) {
    ++total.count;
    if (total.is_real == 0 && value.kind() == Kind::integer) {
        std::int64_t sum = 0;
        if (!__builtin_add_overflow(total.whole, value.as_integer(), &sum)) {
            total.whole = sum;
            return;
        }
    }
    to_real(total);
    total.real.push(value.as_double());
}

void add(Total& into, const Total& from) {
    into.count += from.count;
    std::int64_t sum = 0;
    if (into.is_real == 0 && from.is_real == 0 && !__builtin_add_overflow(into.whole, from.whole, &sum)) {
        into.whole = sum;
        return;
    }
    to_real(into);
    Total other = from;
    to_real(other);
    into.real.merge(other.real);
}

Value result_of(const Total& total, Function function) {
    if (total.count == 0) return Value::null();
    const double n = static_cast<double>(total.count);
    if (total.is_real == 0)
        return function == Function::sum ? Value::integer(total.whole) : Value::number(static_cast<double>(total.whole) / n);
    const double sum = total.real.value();
    return Value::number(function == Function::sum ? sum : sum / n);
}

Value result_of(const device::RunningMoments& moments, Function function) {
    const bool sample = function == Function::stddevs || function == Function::vars;
    if (moments.count < (sample ? 2 : 1)) return Value::null();
    const double variance = sample ? moments.variance_sample() : moments.variance_population();
    return Value::number(function == Function::stddev || function == Function::stddevs ? std::sqrt(variance) : variance);
}

}  // namespace

Accumulator accumulator_of(Function function, bool star, bool event_time) {
    switch (function) {
        case Function::count:
            return star ? Accumulator::rows : Accumulator::values;
        case Function::sum:
        case Function::avg:
            return Accumulator::total;
        case Function::min:
            return Accumulator::least;
        case Function::max:
            return Accumulator::greatest;
        case Function::first:
            return event_time ? Accumulator::first_by_time : Accumulator::first;
        case Function::last:
            return event_time ? Accumulator::last_by_time : Accumulator::last;
        case Function::median:
        case Function::percentile:
            return Accumulator::numbers;
        case Function::collect:
            return Accumulator::list;
        default:
            return Accumulator::moments;
    }
}

bool needs_number(Accumulator kind) { return kind == Accumulator::total || kind == Accumulator::moments || kind == Accumulator::numbers; }

std::size_t state_bytes(Accumulator kind) {
    switch (kind) {
        case Accumulator::rows:
        case Accumulator::values:
            return sizeof(std::uint64_t);
        case Accumulator::total:
            return sizeof(Total);
        case Accumulator::moments:
            return sizeof(device::RunningMoments);
        case Accumulator::numbers:
        case Accumulator::list:
            return sizeof(Values);
        case Accumulator::first_by_time:
        case Accumulator::last_by_time:
            return sizeof(TimedValue);
        default:
            return sizeof(StoredValue);
    }
}

Taken AccumulatorStore::accept(Accumulator kind, std::byte* state, const Value& value, std::int64_t at) {
    if (kind == Accumulator::rows) {
        ++as<std::uint64_t>(state);
        return Taken::yes;
    }
    if (value.is_null()) return Taken::yes;
    if (value.is_numeric() ? !std::isfinite(value.as_double()) : needs_number(kind)) return Taken::bad;
    switch (kind) {
        case Accumulator::values:
            ++as<std::uint64_t>(state);
            return Taken::yes;
        case Accumulator::total:
            add(as<Total>(state), value);
            return Taken::yes;
        case Accumulator::moments:
            as<device::RunningMoments>(state).push(value.as_double());
            return Taken::yes;
        case Accumulator::least:
        case Accumulator::greatest: {
            auto& best = as<StoredValue>(state);
            if (value.kind() == Kind::raw) return Taken::bad;
            if (best.kind != Kind::missing) {
                const Order order = compare(value, pool_.load(best));
                if (order == Order::unknown) return Taken::bad;  // of another type than those before
                if (order != (kind == Accumulator::least ? Order::less : Order::greater)) return Taken::yes;
            }
            return pool_.store(value, best) ? Taken::yes : Taken::full;
        }
        case Accumulator::first:
            if (as<StoredValue>(state).kind != Kind::missing) return Taken::yes;
            return pool_.store(value, as<StoredValue>(state)) ? Taken::yes : Taken::full;
        case Accumulator::last:
            return pool_.store(value, as<StoredValue>(state)) ? Taken::yes : Taken::full;
        case Accumulator::first_by_time:
        case Accumulator::last_by_time: {
            auto& best = as<TimedValue>(state);
            // Of equal times the first that came is the first, and the last that came the last.
            const bool first = kind == Accumulator::first_by_time;
            if (best.value.kind != Kind::missing && (first ? at >= best.at : at < best.at)) return Taken::yes;
            if (!pool_.store(value, best.value)) return Taken::full;
            best.at = at;
            return Taken::yes;
        }
        default: {
            auto& values = as<Values>(state);
            if (values.list == 0) values.list = pool_.make_list();
            if (values.overflow == 0 && pool_.list(values.list).size() < values_max_ && pool_.append(values.list, value)) return Taken::yes;
            values.overflow = 1;
            return Taken::full;
        }
    }
}

Taken AccumulatorStore::merge(Accumulator kind, std::byte* into, const std::byte* from) {
    switch (kind) {
        case Accumulator::rows:
        case Accumulator::values:
            as<std::uint64_t>(into) += as<std::uint64_t>(from);
            return Taken::yes;
        case Accumulator::total:
            add(as<Total>(into), as<Total>(from));
            return Taken::yes;
        case Accumulator::moments:
            as<device::RunningMoments>(into).merge(as<device::RunningMoments>(from));
            return Taken::yes;
        case Accumulator::numbers:
        case Accumulator::list: {
            const auto& values = as<Values>(from);
            if (values.overflow != 0) as<Values>(into).overflow = 1;
            if (values.list == 0) return Taken::yes;
            Taken result = Taken::yes;
            // By index: accepting may move the lists.
            for (std::size_t i = 0; i < pool_.list(values.list).size() && result == Taken::yes; ++i)
                result = accept(kind, into, pool_.load(pool_.list(values.list)[i]));
            return result;
        }
        default:
            if (kept(kind, from).kind == Kind::missing) return Taken::yes;
            return accept(kind, into, pool_.load(kept(kind, from)), is_by_time(kind) ? as<TimedValue>(from).at : 0);
    }
}

Value AccumulatorStore::result(Function function, double p, Accumulator kind, const std::byte* state, Scope& scope) {
    switch (kind) {
        case Accumulator::rows:
        case Accumulator::values:
            return Value::integer(static_cast<std::int64_t>(as<std::uint64_t>(state)));
        case Accumulator::total:
            return result_of(as<Total>(state), function);
        case Accumulator::moments:
            return result_of(as<device::RunningMoments>(state), function);
        case Accumulator::numbers:
            return sorted_result(function, p, state);
        case Accumulator::list:
            return list_result(state, scope);
        default: {
            const Value value = pool_.load(kept(kind, state));
            return value.is_missing() ? Value::null() : value;
        }
    }
}

Value AccumulatorStore::sorted_result(Function function, double p, const std::byte* state) {
    const auto& values = as<Values>(state);
    if (values.list == 0 || values.overflow != 0 || pool_.list(values.list).empty()) return Value::null();
    sorted_.clear();
    for (const StoredValue& value : pool_.list(values.list))
        sorted_.push_back(value.kind == Kind::integer ? static_cast<double>(value.whole) : value.number);
    // Linear interpolation between the neighbours of rank p (n - 1): the usual definition (Hyndman & Fan 1996, type 7); p = 0.5 is the
    // median.
    const double rank = (function == Function::median ? 0.5 : p) * static_cast<double>(sorted_.size() - 1);
    const auto below = static_cast<std::size_t>(rank);
    const auto at = sorted_.begin() + static_cast<std::ptrdiff_t>(below);
    std::nth_element(sorted_.begin(), at, sorted_.end());
    const double share = rank - static_cast<double>(below);
    if (share == 0) return Value::number(*at);
    const double above = *std::min_element(at + 1, sorted_.end());
    if (share == 0.5) return Value::number(*at / 2 + above / 2);
    return Value::number(*at + share * (above - *at));
}

Value AccumulatorStore::list_result(const std::byte* state, Scope& scope) {
    const auto& values = as<Values>(state);
    if (values.overflow != 0) return Value::null();
    text_.clear();
    text_.push_back('[');
    if (values.list != 0) {
        for (const StoredValue& value : pool_.list(values.list)) {
            if (text_.size() > 1) text_.push_back(',');
            json::append_value(text_, pool_.load(value));
        }
    }
    text_.push_back(']');
    char* to = scope.arena->allocate(text_.size());
    if (to == nullptr) return bad_value(scope);
    std::memcpy(to, text_.data(), text_.size());
    return Value::raw({to, text_.size()});
}

void AccumulatorStore::clear(Accumulator kind, std::byte* state) {
    if (kind == Accumulator::numbers || kind == Accumulator::list) {
        auto& values = as<Values>(state);
        if (values.list != 0) pool_.clear_list(values.list);
        values.overflow = 0;
        return;
    }
    if (keeps_value(kind)) {
        kept(kind, state).kind = Kind::missing;  // its text keeps its place for the next window
        return;
    }
    std::memset(state, 0, state_bytes(kind));
}

void AccumulatorStore::release(Accumulator kind, std::byte* state) {
    clear(kind, state);
    if (kind == Accumulator::numbers || kind == Accumulator::list) {
        if (as<Values>(state).list != 0) pool_.free_list(as<Values>(state).list);
        as<Values>(state) = {};
    } else if (keeps_value(kind)) {
        pool_.free(kept(kind, state));
    }
}

void AccumulatorStore::save(Accumulator kind, const std::byte* state, base::Bytes& out) const {
    switch (kind) {
        case Accumulator::rows:
        case Accumulator::values:
            return base::append_le(out, as<std::uint64_t>(state));
        case Accumulator::total: {
            const auto& total = as<Total>(state);
            base::append_le(out, total.count);
            base::append_le(out, static_cast<std::uint64_t>(total.whole));
            save_real(out, total.real.sum);
            save_real(out, total.real.lost);
            return base::append_le(out, total.is_real);
        }
        case Accumulator::moments: {
            const auto& moments = as<device::RunningMoments>(state);
            base::append_le(out, moments.count);
            save_real(out, moments.mean);
            return save_real(out, moments.squares);
        }
        case Accumulator::numbers:
        case Accumulator::list: {
            const auto& values = as<Values>(state);
            const std::size_t size = values.list == 0 ? 0 : pool_.list(values.list).size();
            base::append_le(out, values.overflow);
            base::append_le(out, static_cast<std::uint32_t>(size));
            for (std::size_t i = 0; i < size; ++i) save_value(out, pool_.load(pool_.list(values.list)[i]));
            return;
        }
        default:
            if (is_by_time(kind)) base::append_le(out, static_cast<std::uint64_t>(as<TimedValue>(state).at));
            return save_value(out, pool_.load(kept(kind, state)));
    }
}

bool AccumulatorStore::restore(Accumulator kind, base::ByteView& in, std::byte* state) {
    StateReader reader(in);
    switch (kind) {
        case Accumulator::rows:
        case Accumulator::values:
            as<std::uint64_t>(state) = reader.number<std::uint64_t>();
            break;
        case Accumulator::total: {
            auto& total = as<Total>(state);
            total.count = reader.number<std::uint64_t>();
            total.whole = static_cast<std::int64_t>(reader.number<std::uint64_t>());
            total.real.sum = reader.real();
            total.real.lost = reader.real();
            total.is_real = reader.number<std::uint64_t>();
            break;
        }
        case Accumulator::moments: {
            auto& moments = as<device::RunningMoments>(state);
            moments.count = reader.number<std::uint64_t>();
            moments.mean = reader.real();
            moments.squares = reader.real();
            break;
        }
        case Accumulator::numbers:
        case Accumulator::list: {
            auto& values = as<Values>(state);
            const auto overflow = reader.number<std::uint32_t>();
            const auto size = reader.number<std::uint32_t>();
            if (!reader.ok() || size > values_max_) return false;
            for (std::uint32_t i = 0; i < size && reader.ok(); ++i) {
                const Value value = reader.value();
                if (!reader.ok() || accept(kind, state, value) == Taken::bad) return false;
            }
            if (overflow != 0) values.overflow = 1;
            break;
        }
        default: {
            if (is_by_time(kind)) as<TimedValue>(state).at = static_cast<std::int64_t>(reader.number<std::uint64_t>());
            const Value value = reader.value();
            if (!reader.ok()) return false;
            if (!value.is_missing() && !pool_.store(value, kept(kind, state))) return false;
        }
    }
    in = reader.rest();
    return reader.ok();
}

}  // namespace sluice::rules
