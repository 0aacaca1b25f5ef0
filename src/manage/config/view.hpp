// A document read through its schema: typed values, with the table's defaults where a key is absent or was reported as wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "manage/config/located_text.hpp"
#include "manage/config/schema.hpp"
#include "manage/config/source.hpp"

namespace sluice::config {

/// What a whole document's views share.
struct ViewContext {
    const Source& source;
    std::string folder;  ///< of the file; empty: the process's
};

/// Borrows document, schema and context. Asking for a key that the table does not have stops the process: that is a defect of the reader.
class View {
public:
    View(const ViewContext& context, const SchemaNode& schema, const Node* node, Position owner)
        : context_(&context), schema_(&schema), node_(node), owner_(owner) {}

    /// A key of a section; also through its shorthand.
    [[nodiscard]] View at(std::string_view name) const;
    /// Elements of a list, also through its shorthand; nothing where it is absent or wrong.
    [[nodiscard]] std::vector<View> items() const;
    /// Names and values of a map.
    [[nodiscard]] std::vector<std::pair<Located, View>> entries() const;

    /// The key stands in the file with a value.
    [[nodiscard]] bool present() const { return node_ != nullptr && node_->kind != Node::Kind::null; }
    /// The key stands in the file, with or without a value.
    [[nodiscard]] bool written() const { return node_ != nullptr; }
    /// A scalar that is there and right: not reported by the schema.
    [[nodiscard]] bool fits() const;
    /// Of the value; of the owner where there is none.
    [[nodiscard]] Position position() const { return node_ == nullptr ? owner_ : node_->at; }
    /// Of the key (an element of a list: of the element).
    [[nodiscard]] Position key_position() const { return owner_; }

    [[nodiscard]] std::string text() const { return std::string(scalar()); }
    [[nodiscard]] Located located() const { return {text(), position()}; }
    [[nodiscard]] LocatedText located_text() const;
    [[nodiscard]] Path path() const;
    /// A path that stands inside this value (a URL), relative to the file as others are.
    [[nodiscard]] Path resolved(std::string value) const;
    [[nodiscard]] bool boolean() const;
    [[nodiscard]] std::uint64_t integer() const;
    [[nodiscard]] double number() const;
    [[nodiscard]] std::uint64_t size() const;
    [[nodiscard]] std::chrono::milliseconds duration() const;
    [[nodiscard]] std::uint32_t percent() const;
    [[nodiscard]] std::size_t choice() const;  ///< index into the row's choices

    /// The table's range fits T; checked.
    template <class T>
    [[nodiscard]] T integer_as() const {
        return static_cast<T>(checked_integer(static_cast<std::uint64_t>(static_cast<T>(~T{0}))));
    }
    template <class E>
    [[nodiscard]] E choice_as() const {
        return static_cast<E>(choice());
    }

private:
    [[nodiscard]] std::string_view scalar() const;  ///< as written if it fits the row, else the default
    [[nodiscard]] std::uint64_t checked_integer(std::uint64_t max) const;

    const ViewContext* context_;
    const SchemaNode* schema_;
    const Node* node_;
    Position owner_;
};

}  // namespace sluice::config
