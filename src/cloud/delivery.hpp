// What the reception hands to the store: one decoded message of a gateway.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "codec/wire/batch.hpp"

namespace sluice::cloud {

struct Delivery {
    std::string gateway;
    std::uint64_t ticket = 0;  ///< released when it is committed; grows from delivery to delivery
    base::WallTime arrived{};
    base::Bytes body;                  ///< what `batch` borrows from; moving a Delivery keeps that memory where it is
    std::optional<wire::Batch> batch;  ///< nothing: a status
    std::string ledger;                ///< of a status: a JSON object
    [[nodiscard]] std::size_t bytes() const { return sizeof *this + body.size() + ledger.size() + gateway.size(); }

    Delivery() = default;
    Delivery(Delivery&&) = default;
    Delivery& operator=(Delivery&&) = default;
    Delivery(const Delivery&) = delete;  // a copy's batch would borrow from the original
    Delivery& operator=(const Delivery&) = delete;
};

}  // namespace sluice::cloud
