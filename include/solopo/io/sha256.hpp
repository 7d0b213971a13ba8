// SHA-256 (FIPS 180-4): the checksum of checkpoints and manifests. A file that was changed on purpose must
// not pass, so a fast non-cryptographic hash would not do. Uses the processor's SHA instructions when the
// program is built for a processor that has them (-march=native), plain C++ otherwise; both give the same
// digest.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#if defined(__SHA__) && defined(__SSE4_1__)
#include <immintrin.h>
#endif

namespace solopo::io {

class Sha256 {
 public:
  void update(std::string_view text) noexcept { update(text.data(), text.size()); }
  void update(std::span<const std::byte> bytes) noexcept { update(bytes.data(), bytes.size()); }
  void update(const void* data, std::size_t bytes) noexcept {
    const auto* at = static_cast<const std::uint8_t*>(data);
    length_ += bytes;
    if (filled_ > 0) {
      const std::size_t take = bytes < block_.size() - filled_ ? bytes : block_.size() - filled_;
      if (take > 0) std::memcpy(block_.data() + filled_, at, take);
      filled_ += take;
      at += take;
      bytes -= take;
      if (filled_ < block_.size()) return;
      compress(block_.data(), 1);
      filled_ = 0;
    }
    compress(at, bytes / 64);
    at += bytes / 64 * 64;
    filled_ = bytes % 64;
    if (filled_ > 0) std::memcpy(block_.data(), at, filled_);
  }

  // Digest of everything so far; more may be added afterwards.
  [[nodiscard]] std::array<std::uint8_t, 32> digest() const noexcept {
    Sha256 last = *this;
    const std::uint64_t bits = length_ * 8;
    const std::uint8_t one = 0x80, zero = 0;
    last.update(&one, 1);
    while (last.filled_ != 56) last.update(&zero, 1);
    std::array<std::uint8_t, 8> tail{};
    for (int i = 0; i < 8; ++i) tail[i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
    last.update(tail.data(), tail.size());
    std::array<std::uint8_t, 32> out{};
    for (int i = 0; i < 32; ++i) out[i] = static_cast<std::uint8_t>(last.state_[i / 4] >> (24 - 8 * (i % 4)));
    return out;
  }
  // 64 lower-case hex digits.
  [[nodiscard]] std::string hex() const {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (const std::uint8_t byte : digest()) {
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
    return out;
  }

  // The portable form, named so that tests can hold it against the other.
  static void compress_portable(std::array<std::uint32_t, 8>& state, const std::uint8_t* data,
                                std::size_t blocks) noexcept;

 private:
  void compress(const std::uint8_t* data, std::size_t blocks) noexcept {
#if defined(__SHA__) && defined(__SSE4_1__)
    compress_sha_instructions(state_, data, blocks);
#else
    compress_portable(state_, data, blocks);
#endif
  }
#if defined(__SHA__) && defined(__SSE4_1__)
  static void compress_sha_instructions(std::array<std::uint32_t, 8>& state, const std::uint8_t* data,
                                        std::size_t blocks) noexcept;
#endif

  // First 32 bits of the fractional parts of the square roots of the first 8 primes.
  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> block_{};
  std::size_t filled_ = 0;
  std::uint64_t length_ = 0;  // bytes
};

namespace sha256_detail {
// First 32 bits of the fractional parts of the cube roots of the first 64 primes.
alignas(16) inline constexpr std::array<std::uint32_t, 64> round_constants{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
}  // namespace sha256_detail

inline void Sha256::compress_portable(std::array<std::uint32_t, 8>& state, const std::uint8_t* data,
                                      std::size_t blocks) noexcept {
  for (; blocks > 0; --blocks, data += 64) {
    std::array<std::uint32_t, 64> w{};
    for (int i = 0; i < 16; ++i) {
      w[i] = std::uint32_t{data[4 * i]} << 24 | std::uint32_t{data[4 * i + 1]} << 16 |
             std::uint32_t{data[4 * i + 2]} << 8 | std::uint32_t{data[4 * i + 3]};
    }
    for (int i = 16; i < 64; ++i) {
      const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
      const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (int i = 0; i < 64; ++i) {
      const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
      const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + sha256_detail::round_constants[i] + w[i];
      const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
      const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + t1;
      d = c;
      c = b;
      b = a;
      a = t1 + t2;
    }
    const std::array<std::uint32_t, 8> add{a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; ++i) state[i] += add[i];
  }
}

#if defined(__SHA__) && defined(__SSE4_1__)
// The instructions keep the state as (f, e, b, a) and (h, g, d, c), lowest lane first, and do two rounds
// each. They have no AVX form: while the upper half of any vector register is in use, processors may take
// hundreds of cycles for each of them (an Emerald Rapids hashed 6 MB/s so), so nothing here is wider than 128
// bits, and what callers left is cleared.
[[gnu::noinline]] inline void Sha256::compress_sha_instructions(std::array<std::uint32_t, 8>& state,
                                                                const std::uint8_t* data,
                                                                std::size_t blocks) noexcept {
  auto* const halves = reinterpret_cast<__m128i*>(state.data());
  const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(halves), 0xb1),
                hgfe = _mm_shuffle_epi32(_mm_loadu_si128(halves + 1), 0x1b);
  __m128i abef = _mm_alignr_epi8(badc, hgfe, 8), cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);
  const __m128i big_endian = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
  const auto* constants = reinterpret_cast<const __m128i*>(sha256_detail::round_constants.data());
#if defined(__AVX__)
  _mm256_zeroupper();
#endif
  for (; blocks > 0; --blocks, data += 64) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    __m128i w[4];  // the last 16 words of the schedule, four by four
    for (int i = 0; i < 4; ++i) {
      w[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data + 16 * i)), big_endian);
    }
    for (int i = 0; i < 16; ++i) {
      __m128i& now = w[i % 4];
      if (i >= 4) {
        const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(now, w[(i + 1) % 4]),
                                          _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4));
        now = _mm_sha256msg2_epu32(sum, w[(i + 3) % 4]);
      }
      const __m128i keyed = _mm_add_epi32(now, _mm_load_si128(constants + i));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, keyed);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(keyed, 0x0e));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  const __m128i abef_up = _mm_shuffle_epi32(abef, 0x1b), cdgh_up = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128(halves, _mm_blend_epi16(abef_up, cdgh_up, 0xf0));
  _mm_storeu_si128(halves + 1, _mm_alignr_epi8(cdgh_up, abef_up, 8));
}
#endif

[[nodiscard]] inline std::string sha256_hex(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.hex();
}

}  // namespace solopo::io
