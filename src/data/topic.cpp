#include "data/topic.hpp"

#include <cstdint>
#include <cstring>

namespace sluice::data {
namespace {

constexpr std::size_t kTopicBytesMax = 65'535;  // a two-byte length on the wire

// Eight bytes at a time, the usual carry tricks (Warren, Hacker's Delight, 6-1): exact as long as no byte has its high bit set.
constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighs = 0x8080808080808080;
constexpr std::uint64_t has_zero(std::uint64_t word) { return (word - kOnes) & ~word & kHighs; }

static_assert(('+' ^ '#') == 8);  // so both are found at once
bool is_wildcard(char one) { return (one & ~8) == '#'; }

/// What a topic name of plain ASCII must not contain: wildcards, control characters; and anything that is not ASCII. Types, not functions,
/// so that the loop below has them inline: every PUBLISH passes there.
struct SuspiciousInName {
    std::uint64_t operator()(std::uint64_t word) const {
        const std::uint64_t wildcards = (word & ~(kOnes * 8)) ^ (kOnes * '#');
        const std::uint64_t not_ascii_or_del = word | (word + kOnes);
        const std::uint64_t less_than_space = (word - kOnes * 0x20) & ~word;
        return (not_ascii_or_del | less_than_space | ((wildcards - kOnes) & ~wildcards)) & kHighs;
    }
};
struct SuspiciousInFilter {
    std::uint64_t operator()(std::uint64_t word) const { return (word | (word + kOnes) | ((word - kOnes * 0x20) & ~word)) & kHighs; }
};
struct SuspiciousInText {
    std::uint64_t operator()(std::uint64_t word) const { return (word & kHighs) | has_zero(word); }
};

std::uint64_t load_word(const char* from) {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

/// True if a test finds nothing in any word of the text. The last word overlaps the one before it; a text shorter than a word is filled up
/// with harmless letters.
template <class Suspicious>
bool all_words_pass(std::string_view text, Suspicious suspicious) {
    constexpr std::size_t kWord = sizeof(std::uint64_t);
    if (text.size() < kWord) {
        std::uint64_t word = kOnes * 'a';
        if (!text.empty()) std::memcpy(&word, text.data(), text.size());  // an empty view may have no address
        return suspicious(word) == 0;
    }
    const char* const last = text.data() + text.size() - kWord;
    std::uint64_t found = suspicious(load_word(last));
    for (const char* at = text.data(); at < last; at += kWord) found |= suspicious(load_word(at));
    return found == 0;
}

/// Decodes one character at `at` and moves on; -1 if it is not well-formed UTF-8 (Unicode 15, table 3-7).
std::int32_t next_character(std::string_view text, std::size_t& at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const std::uint32_t first = byte(at);
    if (first < 0x80) return static_cast<std::int32_t>(text[at++]);
    const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() - at < size) return -1;
    std::uint32_t character = first & (0xFFU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(at + i) & 0xC0U) != 0x80) return -1;
        character = character << 6 | (byte(at + i) & 0x3FU);
    }
    const std::uint32_t least = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
    const bool surrogate = character >= 0xD800 && character <= 0xDFFF;
    if (character < least || surrogate || character > 0x10FFFF) return -1;
    at += size;
    return static_cast<std::int32_t>(character);
}

/// §1.5.4: characters that a receiver may refuse; in topics we do.
bool is_control_or_noncharacter(std::uint32_t character) {
    const bool control = character < 0x20 || (character >= 0x7F && character <= 0x9F);
    const bool noncharacter = (character & 0xFFFEU) == 0xFFFE || (character >= 0xFDD0 && character <= 0xFDEF);
    return control || noncharacter;
}

bool characters_fit_topics(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::int32_t character = next_character(text, at);
        if (character < 0 || is_control_or_noncharacter(static_cast<std::uint32_t>(character))) return false;
    }
    return true;
}

}  // namespace

bool is_topic_name(std::string_view topic) {
    if (topic.empty() || topic.size() > kTopicBytesMax) return false;
    if (all_words_pass(topic, SuspiciousInName{})) return true;
    return topic.find_first_of("+#") == std::string_view::npos && characters_fit_topics(topic);
}

bool is_topic_filter(std::string_view filter) {
    if (filter.empty() || filter.size() > kTopicBytesMax) return false;
    if (!all_words_pass(filter, SuspiciousInFilter{}) && !characters_fit_topics(filter)) return false;
    for (std::size_t at = 0; at < filter.size(); ++at) {
        if (!is_wildcard(filter[at])) continue;
        const bool last = at + 1 == filter.size();
        const bool begins_level = at == 0 || filter[at - 1] == '/';
        const bool ends_level = last || (filter[at] == '+' && filter[at + 1] == '/');
        if (!begins_level || !ends_level) return false;
    }
    return true;
}

bool filter_matches(std::string_view filter, std::string_view topic) {
    if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
    std::size_t f = 0;
    std::size_t t = 0;
    while (f < filter.size()) {
        if (filter[f] == '#') return true;
        if (filter[f] == '+') {
            while (t < topic.size() && topic[t] != '/') ++t;
            ++f;
        } else {
            while (f < filter.size() && filter[f] != '/') {
                if (t == topic.size() || topic[t] != filter[f]) return false;
                ++t;
                ++f;
            }
        }
        // Both stand at the end of a level now, or they differ.
        const bool topic_ends = t == topic.size();
        if (f == filter.size()) return topic_ends;
        if (topic_ends) return filter.substr(f) == "/#";  // "sport/#" matches "sport" (§4.7.1.2)
        if (topic[t] != '/') return false;
        ++f;
        ++t;
        if (f == filter.size()) return t == topic.size();  // both end in an empty level, or the topic goes on
    }
    return t == topic.size();
}

std::string_view topic_level(std::string_view topic, unsigned n) {
    std::size_t begin = 0;
    for (unsigned level = 1;; ++level) {
        const std::size_t end = topic.find('/', begin);
        if (level == n) return topic.substr(begin, end == std::string_view::npos ? std::string_view::npos : end - begin);
        if (end == std::string_view::npos || level > n) return {};
        begin = end + 1;
    }
}

bool is_plain_text(std::string_view text) { return characters_fit_topics(text); }

bool is_mqtt_utf8(std::string_view text) {
    if (all_words_pass(text, SuspiciousInText{})) return true;
    for (std::size_t at = 0; at < text.size();)
        if (next_character(text, at) <= 0) return false;
    return true;
}

}  // namespace sluice::data
