#include "gateway/rule_overlay.hpp"

#include <algorithm>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace sluice::gateway {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kVersionOldest = 1;  ///< without flags of a rule
constexpr std::uint8_t kForgetOldest = 1;
constexpr std::uint8_t kPaused = 1;
constexpr std::uint8_t kHasFileText = 2;
constexpr std::uint8_t kToCloud = 1;

void append_text(base::Bytes& out, std::string_view text) {
    base::append_le(out, static_cast<std::uint32_t>(text.size()));
    base::append(out, text);
}

void append_rule(base::Bytes& out, const RuleText& rule) {
    append_text(out, rule.sql);
    base::append_le(out, rule.state_bytes_max);
    out.push_back(rule.forget_oldest ? kForgetOldest : 0);
    base::append_le(out, static_cast<std::uint32_t>(rule.to.size()));
    for (const RuleTarget& target : rule.to) {
        out.push_back(target.cloud.empty() ? 0 : kToCloud);
        append_text(out, target.cloud.empty() ? target.topic : target.cloud);
    }
}

/// What is read is authentic, but may be damaged before it was sealed: each length is compared with what is left.
class Reader {
public:
    explicit Reader(base::ByteView bytes) : rest_(bytes) {}
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] bool empty() const { return rest_.empty(); }
    template <class Number>
    Number number() {
        if (rest_.size() < sizeof(Number)) return fail<Number>();
        const auto value = base::load_le<Number>(rest_.data());
        rest_ = rest_.subspan(sizeof(Number));
        return value;
    }
    std::string text() {
        const auto size = number<std::uint32_t>();
        if (rest_.size() < size) return fail<std::string>();
        std::string out(base::as_text(rest_.first(size)));
        rest_ = rest_.subspan(size);
        return out;
    }
    RuleText rule(std::uint8_t version) {
        RuleText out;
        out.sql = text();
        out.state_bytes_max = number<std::uint64_t>();
        const auto flags = version == kVersionOldest ? std::uint8_t{0} : number<std::uint8_t>();
        if (flags > kForgetOldest) return fail<RuleText>();
        out.forget_oldest = flags != 0;
        for (auto left = number<std::uint32_t>(); left > 0 && good_; --left) {
            const bool cloud = number<std::uint8_t>() == kToCloud;
            RuleTarget target;
            (cloud ? target.cloud : target.topic) = text();
            out.to.push_back(std::move(target));
        }
        return out;
    }

private:
    template <class T>
    T fail() {
        good_ = false;
        rest_ = {};
        return {};
    }
    base::ByteView rest_;
    bool good_ = true;
};

config::RuleConfig rule_of(const std::string& id, const RuleText& text, const std::vector<config::ClassConfig>& classes) {
    config::RuleConfig out;
    out.id.value = id;
    out.sql.value = text.sql;
    out.state_bytes_max = text.state_bytes_max;
    out.forget_oldest = text.forget_oldest;
    for (const RuleTarget& target : text.to) {
        config::Destination destination;
        destination.topic.value = target.topic;
        destination.cloud = target.cloud;
        // A class that is gone gets an index that nothing has: whoever checks the rules says so.
        const auto found = std::find_if(classes.begin(), classes.end(), [&](const auto& row) { return row.name == target.cloud; });
        destination.class_index =
            found == classes.end() ? std::numeric_limits<std::uint8_t>::max() : static_cast<std::uint8_t>(found - classes.begin());
        out.to.push_back(std::move(destination));
    }
    return out;
}

}  // namespace

RuleText text_of(const config::RuleConfig& rule) {
    RuleText out{rule.sql.value, {}, rule.state_bytes_max, rule.forget_oldest};
    for (const auto& destination : rule.to) out.to.push_back({destination.topic.value, destination.cloud});
    return out;
}

const RuleChange* RuleOverlay::find(const std::string& id) const {
    const auto found = changes_.find(id);
    return found == changes_.end() ? nullptr : &found->second;
}

void RuleOverlay::tidy(const std::string& id) {
    const auto found = changes_.find(id);
    if (found->second.kind == RuleChange::Kind::none && !found->second.paused) changes_.erase(found);
}

void RuleOverlay::put(const std::string& id, const config::RuleConfig* file, RuleText text) {
    RuleChange& change = changes_[id];
    change.kind = RuleChange::Kind::put;
    change.over = file == nullptr ? std::nullopt : std::optional(text_of(*file));
    change.text = std::move(text);
    if (change.over && *change.over == change.text) {  // the file says the same: it may go on to say what counts
        change = {.paused = change.paused};
        tidy(id);
    }
}

void RuleOverlay::remove(const std::string& id, const config::RuleConfig* file) {
    if (file == nullptr) return revert(id);
    changes_[id] = {.kind = RuleChange::Kind::removed, .over = text_of(*file)};
}

void RuleOverlay::pause(const std::string& id, bool paused) {
    changes_[id].paused = paused;
    tidy(id);
}

std::vector<std::string> RuleOverlay::reconcile(const FileRules& file) {
    std::vector<std::string> given_up;
    if (changes_.empty()) return given_up;
    std::unordered_map<std::string_view, const config::RuleConfig*> by_id;
    for (const auto& rule : file) by_id.emplace(rule.id.value, &rule);
    for (auto at = changes_.begin(); at != changes_.end();) {
        RuleChange& change = at->second;
        const auto found = by_id.find(at->first);
        const std::optional<RuleText> now = found == by_id.end() ? std::nullopt : std::optional(text_of(*found->second));
        const bool overtaken = change.kind != RuleChange::Kind::none && change.over != now;
        if (overtaken) change = {.paused = change.paused};
        const bool pointless = change.kind == RuleChange::Kind::none && (!change.paused || !now);
        if (overtaken || pointless) given_up.push_back(at->first);
        at = pointless ? changes_.erase(at) : std::next(at);
    }
    return given_up;
}

RuleOverlay::FileRules RuleOverlay::merge(const FileRules& file, const std::vector<config::ClassConfig>& classes,
                                          const std::vector<std::string>& without) const {
    FileRules out;
    std::map<std::string, const RuleChange*> left;
    for (const auto& [id, change] : changes_) {
        const bool unusable = std::find(without.begin(), without.end(), id) != without.end();
        if (change.kind == RuleChange::Kind::put && !unusable) left.emplace(id, &change);
    }
    const auto add = [&](config::RuleConfig rule) {
        const RuleChange* change = find(rule.id.value);
        rule.paused = change != nullptr && change->paused;
        out.push_back(std::move(rule));
    };
    for (const auto& rule : file) {
        const RuleChange* change = find(rule.id.value);
        if (change != nullptr && change->kind == RuleChange::Kind::removed) continue;
        if (const auto put = left.find(rule.id.value); put != left.end()) {
            add(rule_of(rule.id.value, put->second->text, classes));
            left.erase(put);
        } else {
            add(rule);
        }
    }
    for (const auto& [id, change] : left) add(rule_of(id, change->text, classes));
    return out;
}

base::Bytes RuleOverlay::encode() const {
    base::Bytes out;
    out.push_back(kVersion);
    for (const auto& [id, change] : changes_) {
        append_text(out, id);
        out.push_back(static_cast<std::uint8_t>(change.kind));
        out.push_back(static_cast<std::uint8_t>((change.paused ? kPaused : 0) | (change.over ? kHasFileText : 0)));
        if (change.kind == RuleChange::Kind::put) append_rule(out, change.text);
        if (change.over) append_rule(out, *change.over);
    }
    return out;
}

base::Result<RuleOverlay> RuleOverlay::decode(base::ByteView bytes) {
    Reader reader(bytes);
    const auto version = reader.number<std::uint8_t>();
    if (!reader.good()) return base::Error{base::Errc::corrupt};
    if (version < kVersionOldest || version > kVersion) return base::Error{base::Errc::version};
    RuleOverlay out;
    while (!reader.empty()) {
        std::string id = reader.text();
        RuleChange change;
        const auto kind = reader.number<std::uint8_t>();
        const auto flags = reader.number<std::uint8_t>();
        if (!reader.good() || kind > static_cast<std::uint8_t>(RuleChange::Kind::removed) || flags > (kPaused | kHasFileText))
            return base::Error{base::Errc::corrupt};
        change.kind = static_cast<RuleChange::Kind>(kind);
        change.paused = (flags & kPaused) != 0;
        if (change.kind == RuleChange::Kind::put) change.text = reader.rule(version);
        if ((flags & kHasFileText) != 0) change.over = reader.rule(version);
        if (!reader.good() || !out.changes_.emplace(std::move(id), std::move(change)).second) return base::Error{base::Errc::corrupt};
    }
    return out;
}

}  // namespace sluice::gateway
