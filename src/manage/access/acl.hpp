// The access list: rows in order; the first one that matches decides, none: denied.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/topic_pattern.hpp"

namespace sluice::access {

/// Who a client is, as far as it has proved it.
struct Identity {
    enum class Kind : std::uint8_t { anonymous, user, certificate };
    Kind kind = Kind::anonymous;
    std::string name{};  ///< of the user or certificate; empty: anonymous
    friend bool operator==(const Identity&, const Identity&) = default;
};

struct Who {
    enum class Kind : std::uint8_t {
        anyone,
        anonymous,
        user,
        client,  ///< a client id: chosen by the client, so only as good as the row's topics make it
        certificate,
    };
    Kind kind = Kind::anyone;
    std::string name{};
};

enum class Action : std::uint8_t { publish = 1, subscribe = 2 };

struct Row {
    std::vector<Who> who;  ///< any of them
    bool allows = false;   ///< else it forbids
    bool publish = false;
    bool subscribe = false;
    std::vector<std::string> topics;  ///< data::is_topic_pattern
    std::uint32_t line = 0;           ///< in the file
};

struct Decision {
    bool allowed = false;
    bool unfit_name = false;             ///< a row was passed over, or forbade everything, because a name does not fit its pattern
    const Row* row = nullptr;            ///< that decided; null: none matched
    const std::string* topic = nullptr;  ///< of the row: the pattern that decided
    [[nodiscard]] bool by_row() const { return row != nullptr; }
};

/// What is asked. Views are used during the call.
struct Question {
    Action action = Action::publish;
    std::string_view client{};  ///< client id
    std::string_view topic{};   ///< publish: a topic name; subscribe: a filter without `$share/<group>/`
};

/// Immutable after construction; any thread.
///
/// Publishing: a row matches if one of its patterns, filled in, matches the topic.
/// Subscribing: a row that allows matches if one of its patterns *covers* the whole filter; a row that forbids matches if one of them
/// *overlaps* it. So what is subscribed to can deliver only topics that the list, asked topic by topic, would allow.
/// Names that hold `+`, `#` or `/` (or would put `$` at the beginning) never fill a pattern: a row that allows does not match then, a row
/// that forbids forbids everything. A pattern with %u means nothing for who has no name.
class Acl {
public:
    explicit Acl(std::vector<Row> rows);

    /// The rows that match this identity, whatever its client id: asked once a sign-in, so that a long list costs a message nothing. Rows
    /// that only name client ids are not among them: they are kept once, by client id, not once an identity.
    [[nodiscard]] std::vector<std::uint32_t> rows_for(const Identity& who) const;

    /// `rows` from rows_for(who); `scratch` is the caller's, so that asking does not allocate.
    [[nodiscard]] Decision decide(const Identity& who, const Question& asked, std::span<const std::uint32_t> rows,
                                  std::string& scratch) const;

    /// For people: the first row that allows a part of a filter that nothing allows as a whole; null: none.
    [[nodiscard]] const Row* allows_a_part(const Identity& who, const Question& asked) const;

    [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }

private:
    struct Hash {
        using is_transparent = void;  // look-up by a view
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    [[nodiscard]] static bool decide_by(const Row& row, const Identity& who, const Question& asked, std::string& scratch, Decision& out);

    std::vector<Row> rows_;
    std::unordered_map<std::string, std::vector<std::uint32_t>, Hash, std::equal_to<>> by_client_;  // `client:` rows, in order
};

}  // namespace sluice::access
