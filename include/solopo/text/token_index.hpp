// From the text of a token to its id: open addressing over strings that are kept elsewhere.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "solopo/core/random.hpp"
#include "solopo/text/hash_seed.hpp"

namespace solopo::text {

// The strings must outlive the index and stay where the vector is; ids are positions in it.
class TokenIndex {
 public:
  TokenIndex() = default;
  explicit TokenIndex(std::size_t count)
      : slots_(std::bit_ceil(2 * count + 2), none), seed_(new_hash_seed()) {}

  // False, and nothing changed, when an equal string is there already.
  bool insert(const std::vector<std::string>& strings, std::int32_t id) {
    const std::string& text = strings[static_cast<std::size_t>(id)];
    std::size_t slot = start(text);
    for (; slots_[slot] != none; slot = next(slot)) {
      if (strings[static_cast<std::size_t>(slots_[slot])] == text) return false;
    }
    slots_[slot] = id;
    return true;
  }

  [[nodiscard]] std::optional<std::int32_t> find(const std::vector<std::string>& strings,
                                                 std::string_view text) const noexcept {
    if (slots_.empty()) return std::nullopt;
    for (std::size_t slot = start(text); slots_[slot] != none; slot = next(slot)) {
      if (strings[static_cast<std::size_t>(slots_[slot])] == text) return slots_[slot];
    }
    return std::nullopt;
  }

 private:
  static constexpr std::int32_t none = -1;
  // FNV-1a from the seed on.
  [[nodiscard]] std::size_t start(std::string_view text) const noexcept {
    std::uint64_t h = seed_;
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return static_cast<std::size_t>(mix_bits(h)) & (slots_.size() - 1);
  }
  [[nodiscard]] std::size_t next(std::size_t slot) const noexcept { return (slot + 1) & (slots_.size() - 1); }

  std::vector<std::int32_t> slots_;  // a power of two, at most half full
  std::uint64_t seed_ = 0;
};

}  // namespace solopo::text
