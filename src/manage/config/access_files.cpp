#include "manage/config/access_files.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "data/topic_pattern.hpp"
#include "manage/config/document.hpp"
#include "manage/config/load.hpp"
#include "manage/config/scalar.hpp"
#include "manage/config/source.hpp"
#include "manage/config/suggest.hpp"

namespace sluice::config {
namespace {

/// Problems of one file, each with its name.
class Reporter {
public:
    Reporter(const std::string& file, Problems& problems) : file_(file), problems_(problems) {}
    void error(Position at, std::string message) { add(Severity::error, at, std::move(message)); }
    void warning(Position at, std::string message) { add(Severity::warning, at, std::move(message)); }

    /// nullopt: not a document.
    std::optional<Node> parse(std::string_view text) {
        if (text.size() > kAccessFileBytesMax) {
            error({}, fmt::format("the file has {} bytes: expected at most {}", text.size(), kAccessFileBytesMax));
            return std::nullopt;
        }
        Problems found;
        auto node = parse_document(Source(without_mark(text)), found);
        for (Problem& one : found) add(one.severity, one.at, std::move(one.message));
        return node;
    }

private:
    void add(Severity severity, Position at, std::string message) {
        Problem problem{.severity = severity, .at = at, .key = {}, .message = std::move(message), .not_built = false, .file = file_};
        problems_.push_back(std::move(problem));
    }
    const std::string& file_;
    Problems& problems_;
};

std::string why_no_hash(const base::Error& error) {
    switch (error.code) {
        case base::Errc::unsupported:
            return "this kind of password hash is not supported: expected Argon2id, `$argon2id$v=19$…`";
        case base::Errc::too_large:
            return fmt::format("verifying this hash would cost too much: at most m={} (KiB), t={}, p={}, and m times t at most {}",
                               phc::kMemoryKibMax, phc::kPassesMax, phc::kLanesMax, phc::kWorkKibMax);
        case base::Errc::invalid:
            return fmt::format("not a hash that Argon2 can make: m at least 8 times p, t and p at least 1, a salt of {} bytes or more",
                               phc::kSaltBytesMin);
        default:
            return "expected the hash of a password, `$argon2id$v=19$…`; `sluice passwd FILE USER` writes one";
    }
}

/// What an entry of either file may say about a key it does not know.
void unknown_key(Reporter& reporter, const Entry& entry, std::span<const std::string_view> known) {
    reporter.error(entry.key_at, fmt::format("unknown key `{}`{}", shortened(entry.key, 64), suggestion(entry.key, known)));
}

class UsersReader {
public:
    explicit UsersReader(Reporter& reporter) : reporter_(reporter) {}

    std::optional<UserEntry> read(const Entry& entry) {
        UserEntry user{.name = entry.key, .hash = {}, .at = entry.key_at};
        if (user.name.empty() || user.name.size() > kUserNameBytesMax) {
            reporter_.error(entry.key_at, fmt::format("the name of a user has 1 to {} bytes", kUserNameBytesMax));
            return std::nullopt;
        }
        if (user.name.find_first_of("+#/") != std::string::npos) {
            reporter_.warning(entry.key_at, "a name with `+`, `#` or `/` never fills `%u` in an access list");
        }
        const Node* password = &entry.value;
        if (entry.value.kind == Node::Kind::map) {
            password = nullptr;
            for (const Entry& key : entry.value.entries) {
                if (key.key == "password") {
                    password = &key.value;
                } else if (key.key == "disabled") {
                    read_disabled(key.value, user);
                } else {
                    constexpr std::array<std::string_view, 2> kKnown{"password", "disabled"};
                    unknown_key(reporter_, key, kKnown);
                }
            }
            if (password == nullptr) {
                reporter_.error(entry.key_at, "missing key `password`");
                return std::nullopt;
            }
        }
        return read_password(*password, user) ? std::optional(std::move(user)) : std::nullopt;
    }

private:
    void read_disabled(const Node& node, UserEntry& user) {
        const auto value = node.kind == Node::Kind::scalar && node.plain ? parse_boolean(node.text) : std::nullopt;
        if (!value) return reporter_.error(node.at, "disabled: expected true or false");
        user.disabled = *value;
    }

    bool read_password(const Node& node, UserEntry& user) {
        const auto hash = node.kind == Node::Kind::scalar ? phc::parse(node.text) : base::Error{base::Errc::malformed};
        if (!hash) {
            reporter_.error(node.kind == Node::Kind::null ? Position(user.at) : node.at, why_no_hash(hash.error()));
            return false;
        }
        user.hash = *hash;
        if (phc::is_weak(hash->cost)) {
            reporter_.warning(node.at, "this hash is quick to guess: expected at least m=19456,t=2; `sluice passwd` writes a better one");
        }
        return true;
    }

    Reporter& reporter_;
};

class AclReader {
public:
    explicit AclReader(Reporter& reporter) : reporter_(reporter) {}

    /// nullopt: something in it is wrong. A row that is wrong in part must not count in part.
    std::optional<AclEntry> read(const Node& node) {
        good_ = true;
        AclEntry row;
        row.at = node.at;
        if (node.kind != Node::Kind::map) {
            complain(node.at, "expected a row such as {who: \"user:ana\", may: [publish, subscribe], topics: [\"sensors/%u/#\"]}");
            return std::nullopt;
        }
        for (const Entry& entry : node.entries) read_key(entry, row);
        const Entry* may = node.find("may");
        const Entry* may_not = node.find("may_not");
        if ((may == nullptr) == (may_not == nullptr)) complain(node.at, "expected one of `may` and `may_not`");
        for (const std::string_view key : {"who", "topics"})
            if (node.find(key) == nullptr) complain(node.at, fmt::format("missing key `{}`", key));
        row.allows = may != nullptr;
        return good_ ? std::optional(std::move(row)) : std::nullopt;
    }

private:
    void complain(Position at, std::string message) {
        good_ = false;
        reporter_.error(at, std::move(message));
    }

    void read_key(const Entry& entry, AclEntry& row) {
        if (entry.key == "who") {
            each(entry, [&](const Node& node) { read_who(node, row); });
        } else if (entry.key == "may" || entry.key == "may_not") {
            each(entry, [&](const Node& node) { read_action(node, row); });
        } else if (entry.key == "topics") {
            each(entry, [&](const Node& node) { read_topic(node, row); });
        } else {
            constexpr std::array<std::string_view, 4> kKnown{"who", "may", "may_not", "topics"};
            good_ = false;
            unknown_key(reporter_, entry, kKnown);
        }
    }

    /// The texts of a key: one, or a list that is not empty.
    template <class Read>
    void each(const Entry& entry, Read read) {
        if (entry.value.kind == Node::Kind::scalar) return read(entry.value);
        if (entry.value.kind != Node::Kind::sequence || entry.value.items.empty())
            return complain(entry.value.at, fmt::format("{}: expected text or a list of texts", entry.key));
        for (const Node& item : entry.value.items) {
            if (item.kind == Node::Kind::scalar)
                read(item);
            else
                complain(item.at, fmt::format("{}: expected text", entry.key));
        }
    }

    void read_who(const Node& node, AclEntry& row) {
        struct Prefix {
            std::string_view text;
            AclWho::Kind kind;
        };
        constexpr std::array kPrefixes{Prefix{"user:", AclWho::Kind::user}, Prefix{"client:", AclWho::Kind::client},
                                       Prefix{"cn:", AclWho::Kind::certificate}};
        if (node.text == "*") return row.who.push_back({AclWho::Kind::anyone, {}});
        if (node.text == "anonymous") return row.who.push_back({AclWho::Kind::anonymous, {}});
        for (const auto& prefix : kPrefixes) {
            if (!node.text.starts_with(prefix.text)) continue;
            const std::string name = node.text.substr(prefix.text.size());
            if (name.empty()) return complain(node.at, fmt::format("who: a name is missing behind `{}`", prefix.text));
            return row.who.push_back({prefix.kind, name});
        }
        complain(node.at,
                 fmt::format("who: expected \"*\", anonymous, user:NAME, cn:NAME or client:ID, found `{}`", shortened(node.text, 64)));
    }

    void read_action(const Node& node, AclEntry& row) {
        if (node.text == "publish") {
            row.publish = true;
        } else if (node.text == "subscribe") {
            row.subscribe = true;
        } else {
            constexpr std::array<std::string_view, 2> kKnown{"publish", "subscribe"};
            complain(node.at,
                     fmt::format("expected publish or subscribe, found `{}`{}", shortened(node.text, 64), suggestion(node.text, kKnown)));
        }
    }

    void read_topic(const Node& node, AclEntry& row) {
        if (!data::is_topic_pattern(node.text)) {
            return complain(node.at,
                            fmt::format("topics: expected a topic filter, in which %c is the client id and %u the user, found `{}`",
                                        shortened(node.text, 64)));
        }
        if (node.text.starts_with("$share/"))
            return complain(node.at, "topics: write the filter without `$share/GROUP/`: it counts for both");
        row.topics.push_back(node.text);
    }

    Reporter& reporter_;
    bool good_ = true;
};

}  // namespace

std::vector<UserEntry> read_users(std::string_view text, const std::string& file, Problems& problems) {
    Reporter reporter(file, problems);
    std::vector<UserEntry> out;
    const auto document = reporter.parse(text);
    if (!document) return out;
    if (document->kind == Node::Kind::null) {
        reporter.warning(document->at, "no users yet: `sluice passwd FILE USER` adds one");
    } else if (document->kind != Node::Kind::map) {
        reporter.error(document->at, "expected users, a line each: `NAME: $argon2id$…`; `sluice passwd FILE USER` writes them");
    }
    UsersReader reader(reporter);
    for (const Entry& entry : document->entries)
        if (auto user = reader.read(entry)) out.push_back(std::move(*user));
    return out;
}

std::vector<AclEntry> read_acl(std::string_view text, const std::string& file, Problems& problems) {
    Reporter reporter(file, problems);
    std::vector<AclEntry> out;
    const auto document = reporter.parse(text);
    if (!document) return out;
    if (document->kind == Node::Kind::null || (document->kind == Node::Kind::sequence && document->items.empty())) {
        reporter.warning(document->at, "no rows: nobody may publish or subscribe to anything");
    } else if (document->kind != Node::Kind::sequence) {
        reporter.error(document->at, "expected a list of rows: `- {who: \"*\", may: [publish], topics: [\"sensors/#\"]}`");
    }
    if (document->items.size() > kAclRowsMax) {
        reporter.error(document->items[kAclRowsMax].at,
                       fmt::format("more than {} rows; `%u` and `%c` let one row stand for many", kAclRowsMax));
        return out;
    }
    AclReader reader(reporter);
    for (const Node& item : document->items)
        if (auto row = reader.read(item)) out.push_back(std::move(*row));
    return out;
}

}  // namespace sluice::config
