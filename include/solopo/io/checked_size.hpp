// The one type sizes and offsets from files are computed in: 64 bits, and an overflow is remembered instead
// of wrapping. A whole formula is written as usual and asked once, at its end, whether it holds.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace solopo::io {

class CheckedSize {
 public:
  constexpr CheckedSize() noexcept = default;
  constexpr CheckedSize(std::uint64_t value) noexcept : value_(value) {}

  // A negative number is as invalid as an overflow.
  [[nodiscard]] static constexpr CheckedSize from_signed(std::int64_t value) noexcept {
    return value < 0 ? invalid() : CheckedSize(static_cast<std::uint64_t>(value));
  }
  [[nodiscard]] static constexpr CheckedSize invalid() noexcept {
    CheckedSize size;
    size.valid_ = false;
    return size;
  }

  [[nodiscard]] constexpr bool valid() const noexcept { return valid_; }
  [[nodiscard]] constexpr std::optional<std::uint64_t> value() const noexcept {
    return valid_ ? std::optional(value_) : std::nullopt;
  }
  // True when no step overflowed and the result is at most `limit`.
  [[nodiscard]] constexpr bool fits(std::uint64_t limit) const noexcept { return valid_ && value_ <= limit; }

  friend constexpr CheckedSize operator+(CheckedSize a, CheckedSize b) noexcept {
    CheckedSize sum(a.value_ + b.value_);
    sum.valid_ = a.valid_ && b.valid_ && sum.value_ >= a.value_;
    return sum;
  }
  // Subtraction below zero is invalid.
  friend constexpr CheckedSize operator-(CheckedSize a, CheckedSize b) noexcept {
    CheckedSize difference(a.value_ - b.value_);
    difference.valid_ = a.valid_ && b.valid_ && a.value_ >= b.value_;
    return difference;
  }
  // Invalid stays invalid: 2^63 * 4 * 0 does not hold although its last factor is 0.
  friend constexpr CheckedSize operator*(CheckedSize a, CheckedSize b) noexcept {
    CheckedSize product(a.value_ * b.value_);
    product.valid_ = a.valid_ && b.valid_ && (a.value_ == 0 || product.value_ / a.value_ == b.value_);
    return product;
  }
  // The next multiple of `unit`; a unit of 0 is invalid.
  [[nodiscard]] constexpr CheckedSize padded_to(std::uint64_t unit) const noexcept {
    if (!valid_ || unit == 0) return invalid();
    const std::uint64_t rest = value_ % unit;
    return rest == 0 ? *this : *this + CheckedSize(unit - rest);
  }

 private:
  std::uint64_t value_ = 0;
  bool valid_ = true;
};

// The one narrowing conversion: nothing when `value` does not fit in To.
template <class To, class From>
[[nodiscard]] constexpr std::optional<To> narrow(From value) noexcept {
  static_assert(std::is_integral_v<To> && std::is_integral_v<From>);
  if (!std::in_range<To>(value)) return std::nullopt;
  return static_cast<To>(value);
}

static_assert((CheckedSize(3) * 4 + 5).value() == 17);
static_assert(!(CheckedSize(std::uint64_t{1} << 63) * 4 * 0).valid());

}  // namespace solopo::io
