#include "manage/config/users_edit.hpp"

#include <algorithm>
#include <optional>

#include "manage/config/access_files.hpp"
#include "manage/config/document.hpp"
#include "manage/config/load.hpp"
#include "manage/config/scalar.hpp"
#include "manage/config/source.hpp"

namespace sluice::config {
namespace {

using base::Errc;
using base::Error;
using base::Result;

struct Parsed {
    Node root;
    std::vector<UserEntry> users;
};

std::optional<Parsed> parse(std::string_view text) {
    Problems problems;
    auto users = read_users(text, {}, problems);
    if (!is_valid(problems)) return std::nullopt;
    auto root = parse_document(Source(text), problems);
    if (!root || !is_valid(problems)) return std::nullopt;
    return Parsed{std::move(*root), std::move(users)};
}

/// `name` as a key or value of a mapping, quoted so that no name means anything to YAML.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

bool is_plain_name(std::string_view name) {
    const auto safe = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    };
    // What YAML 1.1 takes for something else than text, or for a document's border, is quoted.
    const bool letter_first = (name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z');
    return letter_first && std::all_of(name.begin(), name.end(), safe) && name != "null" && name != "Null" && name != "NULL";
}

const Node* password_of(const Entry& entry) {
    if (entry.value.kind != Node::Kind::map) return &entry.value;
    const Entry* password = entry.value.find("password");
    return password == nullptr ? nullptr : &password->value;
}

/// What all edits promise: the change asked for, and nothing else.
Result<std::string> checked(std::string text, std::vector<UserEntry> expected) {
    auto after = parse(text);
    const auto by_name = [](const UserEntry& a, const UserEntry& b) { return a.name < b.name; };
    std::sort(expected.begin(), expected.end(), by_name);
    if (!after) return Error{Errc::unsupported};
    std::sort(after->users.begin(), after->users.end(), by_name);
    if (after->users != expected) return Error{Errc::unsupported};
    return text;
}

}  // namespace

Result<std::string> set_password(std::string_view text, std::string_view user, std::string_view hash) {
    const auto parsed_hash = phc::parse(hash);
    if (!parsed_hash) return parsed_hash.error();
    text = without_mark(text);
    auto before = parse(text);
    if (!before) return Error{Errc::unsupported};
    auto expected = std::move(before->users);
    const Entry* entry = before->root.find(user);
    std::string out(text);
    if (entry == nullptr) {
        expected.push_back({.name = std::string(user), .hash = *parsed_hash, .at = {}});
        if (!out.empty() && out.back() != '\n') out += '\n';
        out += is_plain_name(user) ? std::string(user) : quoted(user);
        out += ": " + quoted(hash) + "\n";
        return checked(std::move(out), std::move(expected));
    }
    std::find_if(expected.begin(), expected.end(), [&](const UserEntry& one) { return one.name == user; })->hash = *parsed_hash;
    const Node* password = password_of(*entry);
    if (password == nullptr) return Error{Errc::unsupported};
    std::size_t at = password->offset;
    if (at < text.size() && (text[at] == '"' || text[at] == '\'')) ++at;
    if (text.substr(at, password->text.size()) != password->text) return Error{Errc::unsupported};
    out.replace(at, password->text.size(), hash);
    return checked(std::move(out), std::move(expected));
}

Result<std::string> remove_user(std::string_view text, std::string_view user) {
    text = without_mark(text);
    auto before = parse(text);
    if (!before) return Error{Errc::unsupported};
    const Entry* entry = before->root.find(user);
    if (entry == nullptr) return Error{Errc::not_found};
    auto expected = std::move(before->users);
    std::erase_if(expected, [&](const UserEntry& one) { return one.name == user; });
    // From the beginning of the key's line to the next line that is not indented: the user's own lines.
    const Source source(text);
    const std::size_t begin = source.offset(static_cast<int>(entry->key_at.line) - 1, 0);
    std::size_t end = begin;
    do {
        const std::size_t line_end = text.find('\n', end);
        end = line_end == std::string_view::npos ? text.size() : line_end + 1;
    } while (end < text.size() && text[end] == ' ');
    std::string out(text.substr(0, begin));
    out += text.substr(end);
    return checked(std::move(out), std::move(expected));
}

}  // namespace sluice::config
