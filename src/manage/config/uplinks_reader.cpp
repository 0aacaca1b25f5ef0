// `uplinks`: more clouds than one, and the classes of events with where each goes.
#include <algorithm>

#include <fmt/format.h>

#include "data/reading.hpp"
#include "manage/config/reader.hpp"
#include "manage/config/scalar.hpp"
#include "manage/config/suggest.hpp"

namespace sluice::config {
namespace {

constexpr std::size_t kStreamNameBytesMax = 64;  // of `CLASS@NAME` in the spool

/// `to` of a class: names that there are, each once.
std::vector<std::string> read_to(const View& list, const std::string& key, const std::vector<std::string_view>& known, Problems& problems) {
    std::vector<std::string> out;
    const std::vector<View> entries = list.items();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const std::string id = entries[i].text();
        const std::string at = fmt::format("{}[{}]", key, i);
        if (id.empty()) continue;  // reported by the schema
        if (std::find(known.begin(), known.end(), id) == known.end()) {
            add_error(problems, entries[i].position(), at, fmt::format("there is no uplink `{}`{}", id, suggestion(id, known)));
        } else if (std::find(out.begin(), out.end(), id) != out.end()) {
            add_error(problems, entries[i].position(), at, fmt::format("`{}` stands twice", id));
        } else {
            out.push_back(id);
        }
    }
    if (list.present() && entries.empty())
        add_error(problems, list.position(), key, "to: expected at least one uplink; without the key the class goes to all of them");
    return out;
}

}  // namespace

std::vector<NamedUplink> read_uplinks(const View& map, const std::string& gateway, env::FileSystem* files, Problems& problems) {
    std::vector<NamedUplink> out;
    for (const auto& [name, value] : map.entries()) {
        const std::string key = fmt::format("uplinks.{}", shortened(name.value, 64));
        if (!is_identifier(name.value) || name.value == kMainUplink) {
            add_error(problems, name.at, key,
                      "the name of an uplink: expected letters, digits, `_` and `-`, 1 to 64 of them, and not `main`, which is `uplink`");
            continue;
        }
        Problems found;
        NamedUplink row{name.value, read_uplink(value, gateway, files, found)};
        for (Problem& each : found) {
            each.key = key + each.key.substr(std::string_view("uplink").size());
            problems.push_back(std::move(each));
        }
        // At one broker two connections of one client id throw each other out.
        if (row.uplink.kind == UplinkKind::mqtt && !value.at("client_id").present()) row.uplink.client_id = gateway + "-" + name.value;
        if (!value.at("url").written()) add_error(problems, name.at, key + ".url", fmt::format("missing key `url` in `{}`", key));
        out.push_back(std::move(row));
    }
    return out;
}

/// A gateway is one client of a Sluice cloud.
void check_one_each(const Uplink& main, const std::vector<NamedUplink>& uplinks, Problems& problems) {
    for (std::size_t i = 0; i < uplinks.size(); ++i) {
        const Uplink& here = uplinks[i].uplink;
        const auto same = [&here](const Uplink& other) {
            return other.configured() && other.kind == UplinkKind::sluice && other.host == here.host && other.port == here.port;
        };
        const auto end = uplinks.begin() + static_cast<std::ptrdiff_t>(i);
        const bool twice = same(main) || std::any_of(uplinks.begin(), end, [&](const auto& each) { return same(each.uplink); });
        if (here.configured() && here.kind == UplinkKind::sluice && twice)
            add_error(problems, here.at, fmt::format("uplinks.{}.url", uplinks[i].id),
                      "this cloud is an uplink already: a gateway has one connection to it");
    }
}

std::vector<ClassConfig> read_classes(const View& map, const Uplink& main, const std::vector<NamedUplink>& uplinks, Problems& problems) {
    std::vector<ClassConfig> classes = main.classes;
    std::vector<std::string_view> known;
    known.reserve(1 + uplinks.size());
    if (main.configured() || uplinks.empty()) known.push_back(kMainUplink);
    for (const NamedUplink& each : uplinks) known.push_back(each.id);
    for (const auto& [name, value] : map.entries()) {
        const std::string key = fmt::format("uplink.classes.{}", shortened(name.value, 64));
        if (!is_identifier(name.value)) {
            add_error(problems, name.at, key, "the name of a class: expected letters, digits, `_` and `-`, 1 to 64 of them");
            continue;
        }
        auto found = std::find_if(classes.begin(), classes.end(), [&](const ClassConfig& row) { return row.name == name.value; });
        if (found == classes.end()) {
            if (classes.size() == data::kClassesMax) {
                add_error(problems, name.at, key,
                          fmt::format("more than {} classes (alert, aggregate and sample count)", data::kClassesMax));
                break;
            }
            for (const std::string_view needed : {"priority", "ttl"}) {
                if (value.at(needed).written()) continue;
                add_error(problems, name.at, fmt::format("{}.{}", key, needed),
                          fmt::format("missing key `{}` in `{}`: a class of your own needs `priority` and `ttl`", needed, key));
            }
            found = classes.insert(classes.end(), ClassConfig{name.value, 0, std::chrono::milliseconds(0)});
        }
        if (value.at("priority").present()) found->priority = value.at("priority").integer_as<std::uint8_t>();
        if (value.at("ttl").present()) found->ttl = value.at("ttl").duration();
        if (value.at("max_share").present()) found->max_share = value.at("max_share").percent();
        if (value.at("drop").present()) found->drop = value.at("drop").choice_as<ClassDrop>();
        found->to = read_to(value.at("to"), key + ".to", known, problems);
    }
    std::size_t streams = classes.size();
    for (const NamedUplink& each : uplinks) {
        for (const ClassConfig& row : classes) {
            if (!row.goes_to(each.id)) continue;
            ++streams;
            if (row.name.size() + 1 + each.id.size() > kStreamNameBytesMax)
                add_error(problems, each.uplink.at, fmt::format("uplinks.{}", each.id),
                          fmt::format("`{}@{}`: the name of a class and that of an uplink have at most {} bytes together", row.name,
                                      each.id, kStreamNameBytesMax - 1));
        }
    }
    if (streams > data::kClassesMax)
        add_error(problems, uplinks.back().uplink.at, fmt::format("uplinks.{}", uplinks.back().id),
                  fmt::format("{} classes, and what they have for more uplinks: expected at most {}; `to` of a class says where it goes",
                              streams, data::kClassesMax));
    return classes;
}

}  // namespace sluice::config
