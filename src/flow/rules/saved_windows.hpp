// What was saved of windows, read without restoring it: is it the same of two rules, and what would a rule with the accumulators of both
// have saved? docs/formats/rule_state.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "flow/rules/plan_data.hpp"
#include "flow/rules/state_bytes.hpp"

namespace sluice::rules {

inline constexpr std::string_view kStateMagic = "SLRS";
enum class StateRecord : base::Byte {
    window = 1,
    key = 2,
};
/// The entry of a key that says when it was seen last, in place of an operator's fingerprint.
[[nodiscard]] std::uint64_t seen_entry();

/// Fingerprint, size, bytes.
template <class Write>
void append_entry(base::Bytes& out, std::uint64_t fingerprint, Write write) {
    base::append_le(out, fingerprint);
    const std::size_t at = out.size();
    base::append_le(out, std::uint32_t{0});
    write();
    base::store_le(out.data() + at, static_cast<std::uint32_t>(out.size() - at - sizeof(std::uint32_t)));
}

/// A record's length is known when its end is.
class RecordWriter {
public:
    RecordWriter(base::Bytes& out, StateRecord kind) : out_(out) {
        out.push_back(static_cast<base::Byte>(kind));
        start_ = out.size();
        base::append_le(out, std::uint32_t{0});
    }
    void close() { base::store_le(out_.data() + start_, static_cast<std::uint32_t>(out_.size() - start_ - sizeof(std::uint32_t))); }

private:
    base::Bytes& out_;
    std::size_t start_ = 0;
};

/// Walks over the entry of a key: what stands before its parts (blocks, values of a reading, or the whole of a count window), then each
/// part: what all accumulators have together, and an item of each.
class SavedWindow {
public:
    SavedWindow(const WindowPlan& own, base::ByteView entry, std::size_t values_max);

    /// Is there nothing that a window without the entry would not have?
    [[nodiscard]] bool is_empty() const { return empty_; }
    [[nodiscard]] base::ByteView front() const { return front_; }
    /// False: there are no more, or it is damaged.
    [[nodiscard]] bool next();
    [[nodiscard]] base::ByteView together() const { return together_; }
    [[nodiscard]] const std::vector<base::ByteView>& items() const { return items_; }
    [[nodiscard]] bool ok() const { return reader_.ok(); }

private:
    [[nodiscard]] base::ByteView taken(base::ByteView before) const { return before.first(before.size() - reader_.rest().size()); }

    const WindowPlan& own_;
    std::size_t values_max_;
    StateReader reader_;
    base::ByteView front_;
    base::ByteView together_;
    std::vector<base::ByteView> items_;
    bool empty_ = false;
    bool once_ = false;
};

/// 128 bits of what was added, in its order: what differs has another digest but for chance. Devices choose what they send, so it begins
/// with a secret. Each step is a bijection of what it mixes (the finaliser of splitmix64; Steele et al., OOPSLA 2014), so no short text
/// cancels another one, as with base::hash64, where a seed that equals the text does.
class StateDigest {
public:
    explicit StateDigest(std::uint64_t secret) : one_(secret), other_(~secret) {}
    void add(base::ByteView bytes);
    bool operator==(const StateDigest&) const = default;

private:
    void add_word(std::uint64_t word);

    std::uint64_t one_;
    std::uint64_t other_;
};

/// Of all that was saved of a rule's window: two are the same where what was saved is.
struct WindowTrace {
    StateDigest shape;                      ///< all but the accumulators
    std::vector<StateDigest> accumulators;  ///< each
    bool readable = true;

    WindowTrace(const WindowPlan& own, std::uint64_t secret) : shape(secret), accumulators(own.accumulators.size(), StateDigest(secret)) {}
    /// In the order in which they were saved.
    void add_entry(const WindowPlan& own, std::string_view key, base::ByteView entry, std::size_t values_max);
};

/// Entries of rules that share a window, while they are put together.
struct SavedEntries {
    std::vector<base::ByteView> here;  ///< by rule: of the key that is being restored
    /// By rule, by key: of rules whose table is not that of the window.
    std::unordered_map<std::uint32_t, std::unordered_map<std::string_view, base::ByteView>> elsewhere;
};

}  // namespace sluice::rules
