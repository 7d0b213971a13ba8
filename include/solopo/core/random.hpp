// Random numbers that are the same on every machine and compiler, and do not depend on what was drawn before:
// a stream is keyed by (seed, purpose, index), a draw by its position in the stream.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>

namespace solopo {

// splitmix64's finaliser (Steele, Lea, Flood 2014): a bijection of 64 bits that passes BigCrush on a counter.
constexpr std::uint64_t mix_bits(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

// FNV-1a, for names of purposes and small keys.
constexpr std::uint64_t hash_name(std::string_view name) noexcept {
  std::uint64_t h = 0xcbf29ce484222325ULL;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return h;
}

class RandomStream {
 public:
  constexpr RandomStream(std::uint64_t seed, std::string_view purpose, std::uint64_t index = 0) noexcept
      : key_(mix_bits(mix_bits(mix_bits(seed + golden) ^ hash_name(purpose)) + index * golden)) {}

  // 64 uniform bits.
  constexpr std::uint64_t next() noexcept { return mix_bits(key_ + golden * ++position_); }

  // Uniform in [0, 1), 53 bits.
  constexpr double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // Uniform in [0, n); n > 0. Rejection, so without bias.
  constexpr std::uint64_t below(std::uint64_t n) noexcept {
    const std::uint64_t reject = (0 - n) % n;  // 2^64 mod n values at the bottom are one too many
    for (;;) {
      const std::uint64_t x = next();
      if (x >= reject) return x % n;
    }
  }

  // Standard normal (Box-Muller; one value a call keeps the stream's position simple).
  double normal() noexcept {
    const double u = 1.0 - uniform(), v = uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586476925 * v);
  }

  // Fisher-Yates over a random-access range.
  template <class Range>
  constexpr void shuffle(Range& range) noexcept {
    using std::swap;
    for (std::uint64_t i = range.size(); i > 1; --i) swap(range[i - 1], range[below(i)]);
  }

 private:
  static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15ULL;
  std::uint64_t key_;
  std::uint64_t position_ = 0;
};

}  // namespace solopo
