#include "manage/access/acl.hpp"

#include <algorithm>

#include "data/topic.hpp"
#include "manage/access/filter_relation.hpp"

namespace sluice::access {
namespace {

/// Leaves the client id open: it is not known yet.
bool may_be(const Who& who, const Identity& identity) {
    switch (who.kind) {
        case Who::Kind::anyone:
        case Who::Kind::client:
            return true;
        case Who::Kind::anonymous:
            return identity.kind == Identity::Kind::anonymous;
        case Who::Kind::user:
            return identity.kind == Identity::Kind::user && identity.name == who.name;
        case Who::Kind::certificate:
            return identity.kind == Identity::Kind::certificate && identity.name == who.name;
    }
    return false;
}

bool is(const Row& row, const Identity& identity, std::string_view client) {
    return std::any_of(row.who.begin(), row.who.end(),
                       [&](const Who& who) { return may_be(who, identity) && (who.kind != Who::Kind::client || who.name == client); });
}

bool is_about(const Row& row, Action action) { return action == Action::publish ? row.publish : row.subscribe; }

bool fits(const Row& row, std::string_view filter, const Question& asked) {
    if (asked.action == Action::publish) return data::filter_matches(filter, asked.topic);
    return row.allows ? covers(filter, asked.topic) : overlap(filter, asked.topic);
}

}  // namespace

std::vector<std::uint32_t> Acl::rows_for(const Identity& who) const {
    std::vector<std::uint32_t> out;
    for (std::uint32_t i = 0; i < rows_.size(); ++i) {
        const auto& all = rows_[i].who;
        if (std::any_of(all.begin(), all.end(), [&](const Who& one) { return may_be(one, who); })) out.push_back(i);
    }
    return out;
}

Decision Acl::decide(const Identity& who, const Question& asked, std::span<const std::uint32_t> rows, std::string& scratch) const {
    Decision out;
    for (const std::uint32_t index : rows) {
        const Row& row = rows_[index];
        if (!is_about(row, asked.action) || !is(row, who, asked.client)) continue;
        for (const std::string& topic : row.topics) {
            std::string_view filter = topic;
            auto filled = data::Filled::good;
            if (topic.find('%') != std::string::npos) {
                filled = data::fill_topic_pattern(topic, {.client = asked.client, .user = who.name}, scratch);
                filter = scratch;
            }
            if (filled == data::Filled::no_name) continue;
            if (filled == data::Filled::unfit) out.unfit_name = true;
            const bool matches = filled == data::Filled::unfit ? !row.allows : fits(row, filter, asked);
            if (!matches) continue;
            out.allowed = row.allows;
            out.row = &row;
            out.topic = &topic;
            return out;
        }
    }
    return out;
}

const Row* Acl::allows_a_part(const Identity& who, const Question& asked) const {
    if (asked.action != Action::subscribe) return nullptr;
    std::string filter;
    for (const Row& row : rows_) {
        if (!row.allows || !row.subscribe || !is(row, who, asked.client)) continue;
        for (const std::string& topic : row.topics) {
            const auto filled = data::fill_topic_pattern(topic, {.client = asked.client, .user = who.name}, filter);
            if (filled == data::Filled::good && overlap(filter, asked.topic)) return &row;
        }
    }
    return nullptr;
}

}  // namespace sluice::access
