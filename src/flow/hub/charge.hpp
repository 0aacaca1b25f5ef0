// A part of a total that is given back when its owner ends.
#pragma once

#include <cstddef>
#include <utility>

namespace sluice::hub {

class Charge {
public:
    Charge() = default;
    Charge(std::size_t& total, std::size_t amount) : total_(&total), amount_(amount) { total += amount; }
    Charge(Charge&& other) noexcept : total_(std::exchange(other.total_, nullptr)), amount_(std::exchange(other.amount_, 0)) {}
    Charge& operator=(Charge other) noexcept {
        std::swap(total_, other.total_);
        std::swap(amount_, other.amount_);
        return *this;
    }
    ~Charge() {
        if (total_ != nullptr) *total_ -= amount_;
    }
    /// Another amount from now on. Nothing happens without a total.
    void set(std::size_t amount) {
        if (total_ == nullptr) return;
        *total_ += amount - std::exchange(amount_, amount);
    }
    [[nodiscard]] std::size_t amount() const { return amount_; }

private:
    std::size_t* total_ = nullptr;
    std::size_t amount_ = 0;
};

}  // namespace sluice::hub
