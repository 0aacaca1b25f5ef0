#include "manage/access/acl.hpp"

#include <algorithm>

#include "data/topic.hpp"
#include "manage/access/filter_relation.hpp"

namespace sluice::access {
namespace {

/// Without what it says about client ids.
bool is(const Who& who, const Identity& identity) {
    switch (who.kind) {
        case Who::Kind::anyone:
            return true;
        case Who::Kind::client:
            return false;
        case Who::Kind::anonymous:
            return identity.kind == Identity::Kind::anonymous;
        case Who::Kind::user:
            return identity.kind == Identity::Kind::user && identity.name == who.name;
        case Who::Kind::certificate:
            return identity.kind == Identity::Kind::certificate && identity.name == who.name;
    }
    return false;
}

bool is(const Row& row, const Identity& identity) {
    return std::any_of(row.who.begin(), row.who.end(), [&](const Who& who) { return is(who, identity); });
}

bool is(const Row& row, const Identity& identity, std::string_view client) {
    return is(row, identity) ||
           std::any_of(row.who.begin(), row.who.end(), [&](const Who& who) { return who.kind == Who::Kind::client && who.name == client; });
}

bool is_about(const Row& row, Action action) { return action == Action::publish ? row.publish : row.subscribe; }

bool fits(const Row& row, std::string_view filter, const Question& asked) {
    if (asked.action == Action::publish) return data::filter_matches(filter, asked.topic);
    return row.allows ? covers(filter, asked.topic) : overlap(filter, asked.topic);
}

}  // namespace

Acl::Acl(std::vector<Row> rows) : rows_(std::move(rows)) {
    for (std::uint32_t i = 0; i < rows_.size(); ++i) {
        for (const Who& who : rows_[i].who) {
            if (who.kind != Who::Kind::client) continue;
            auto& of_client = by_client_[who.name];
            if (of_client.empty() || of_client.back() != i) of_client.push_back(i);
        }
    }
}

std::vector<std::uint32_t> Acl::rows_for(const Identity& who) const {
    std::vector<std::uint32_t> out;
    for (std::uint32_t i = 0; i < rows_.size(); ++i)
        if (is(rows_[i], who)) out.push_back(i);
    return out;
}

/// Both lists in the order of the file, as if they were one.
Decision Acl::decide(const Identity& who, const Question& asked, std::span<const std::uint32_t> rows, std::string& scratch) const {
    std::span<const std::uint32_t> of_client;
    if (!by_client_.empty())
        if (const auto found = by_client_.find(asked.client); found != by_client_.end()) of_client = found->second;
    Decision out;
    while (!rows.empty() || !of_client.empty()) {
        auto& next = of_client.empty() || (!rows.empty() && rows.front() <= of_client.front()) ? rows : of_client;
        const std::uint32_t index = next.front();
        next = next.subspan(1);
        if (decide_by(rows_[index], who, asked, scratch, out)) break;
    }
    return out;
}

/// False: the row does not match.
bool Acl::decide_by(const Row& row, const Identity& who, const Question& asked, std::string& scratch, Decision& out) {
    if (!is_about(row, asked.action)) return false;
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
        return true;
    }
    return false;
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
