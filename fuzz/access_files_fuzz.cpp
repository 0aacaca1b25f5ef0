// links: sluice_manage_config sluice_manage_access
// Any text as a users file and as an access list: no crash, problems with places inside the file, hashes within their bounds, and rows that
// never allow a subscription which could deliver a topic that the same rows deny.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "codec/phc/phc.hpp"
#include "data/topic.hpp"
#include "manage/access/acl.hpp"
#include "manage/config/access_files.hpp"
#include "manage/config/users_edit.hpp"

namespace {

using namespace sluice;

void require(bool condition) {
    if (!condition) std::abort();
}

access::Acl acl_of(const std::vector<config::AclEntry>& entries) {
    std::vector<access::Row> rows;
    for (const auto& entry : entries) {
        access::Row row{.who = {}, .allows = entry.allows, .publish = entry.publish, .subscribe = entry.subscribe, .topics = entry.topics};
        for (const auto& who : entry.who) row.who.push_back({static_cast<access::Who::Kind>(who.kind), who.name});
        rows.push_back(std::move(row));
    }
    return access::Acl(std::move(rows));
}

void judge(const access::Acl& acl) {
    constexpr std::array<std::string_view, 6> kFilters{"#", "+/a", "a/#", "a/+", "$a/#", "secret/+"};
    constexpr std::array<std::string_view, 7> kTopics{"a", "b/a", "a/b", "a/b/c", "$a/b", "secret/x", "secret"};
    const access::Identity who{access::Identity::Kind::user, "ana"};
    const auto rows = acl.rows_for(who);
    std::string scratch;
    for (const auto filter : kFilters) {
        if (!acl.decide(who, {access::Action::subscribe, "a", filter}, rows, scratch).allowed) continue;
        for (const auto topic : kTopics) {
            if (data::filter_matches(filter, topic))
                require(acl.decide(who, {access::Action::subscribe, "a", topic}, rows, scratch).allowed);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 16 * 1024) return 0;
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto lines = static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    config::Problems problems;
    const auto users = config::read_users(text, "u", problems);
    const bool good = config::is_valid(problems);
    const auto rows = config::read_acl(text, "a", problems);
    for (const auto& problem : problems) require(problem.at.line >= 1 && problem.at.line <= lines && problem.at.column >= 1);
    for (const auto& user : users) {
        require(!user.name.empty() && user.hash.cost.memory_kib <= phc::kMemoryKibMax);
        require(phc::parse(phc::format(user.hash)).value() == user.hash);
    }
    judge(acl_of(rows));
    constexpr std::string_view kHash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODw";
    const auto with = config::set_password(text, "zoe", kHash);
    if (with) {
        require(good);
        config::Problems after;
        static_cast<void>(config::read_users(*with, "u", after));
        require(config::is_valid(after));
    }
    if (const auto parsed = phc::parse(text)) require(phc::format(*parsed) == text);
    return 0;
}
