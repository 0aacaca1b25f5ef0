// The changes that a hub records in a turn, one after the other. Never outside one process, so without versions; little-endian.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "flow/hub/rows.hpp"

namespace sluice::hub {

enum class ChangeKind : std::uint8_t {
    message,  ///< no row: the bytes that `add` changes with `with_message` behind it end with
    add,      ///< a row that was not there before
    put,      ///< a row, in the place of what was there
    remove,   ///< a row, if it is there
    end,      ///< all rows of the session
};

/// One change. Views are valid as long as the batch.
struct Change {
    ChangeKind kind = ChangeKind::put;
    RowKind row = RowKind::session;
    bool with_message = false;
    std::uint64_t id = 0;      ///< KeptId; 0: retained
    std::uint64_t number = 0;  ///< deliveries
    base::ByteView key{};      ///< subscriptions: what of its row makes it one; retained: its topic
    base::ByteView body{};
};

inline void append_change(base::Bytes& out, const Change& change) {
    out.push_back(static_cast<base::Byte>(change.kind));
    out.push_back(static_cast<base::Byte>(change.row));
    out.push_back(change.with_message ? 1 : 0);
    base::append_le(out, change.id);
    base::append_le(out, change.number);
    base::append_le(out, static_cast<std::uint32_t>(change.key.size()));
    base::append_le(out, static_cast<std::uint32_t>(change.body.size()));
    base::append(out, change.key);
    base::append(out, change.body);
}

/// Reads the change at `at` and moves `at` behind it. The bytes come from append_change(): anything else is a defect.
inline Change read_change(base::ByteView in, std::size_t& at) {
    constexpr std::size_t kHead = 3 + 8 + 8 + 4 + 4;
    base::check(in.size() - at >= kHead, "hub: change cut short");
    const base::Byte* head = in.data() + at;
    Change change{.kind = static_cast<ChangeKind>(head[0]), .row = static_cast<RowKind>(head[1]), .with_message = head[2] != 0};
    change.id = base::load_le<std::uint64_t>(head + 3);
    change.number = base::load_le<std::uint64_t>(head + 11);
    const std::size_t key = base::load_le<std::uint32_t>(head + 19);
    const std::size_t body = base::load_le<std::uint32_t>(head + 23);
    base::check(in.size() - at - kHead >= key + body, "hub: change cut short");
    change.key = in.subspan(at + kHead, key);
    change.body = in.subspan(at + kHead + key, body);
    at += kHead + key + body;
    return change;
}

}  // namespace sluice::hub
