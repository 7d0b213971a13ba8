#include "solopo/io/sha256.hpp"

#include <array>
#include <cstdint>
#include <string>

#include "catch.hpp"

using namespace solopo::io;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not depend on how the text is cut into updates") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>(i * 37);
  const std::string whole = sha256_hex(text);
  for (const std::size_t step : {1, 7, 55, 56, 63, 64, 65, 128, 999}) {
    Sha256 hash;
    for (std::size_t at = 0; at < text.size(); at += step)
      hash.update(std::string_view(text).substr(at, step));
    CHECK(hash.hex() == whole);
  }
}

TEST_CASE("The processor's SHA instructions and the portable code agree") {
  // One padded block "abc" through the portable form.
  std::array<std::uint8_t, 128> blocks{'a', 'b', 'c', 0x80};
  blocks[63] = 24;
  std::array<std::uint32_t, 8> state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  Sha256::compress_portable(state, blocks.data(), 1);
  CHECK(state[0] == 0xba7816bf);
  CHECK(state[7] == 0xf20015ad);
  // Random lengths: hex() uses whichever form this build has.
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text += static_cast<char>(i * i + 11);
    if (i % 23 != 0) continue;
    std::string padded = text + '\x80';
    while (padded.size() % 64 != 56) padded += '\0';
    for (int shift = 56; shift >= 0; shift -= 8) padded += static_cast<char>(text.size() * 8 >> shift);
    std::array<std::uint32_t, 8> portable{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    Sha256::compress_portable(portable, reinterpret_cast<const std::uint8_t*>(padded.data()),
                              padded.size() / 64);
    Sha256 hash;
    hash.update(text);
    const auto digest = hash.digest();
    for (std::size_t k = 0; k < 8; ++k) {
      const std::uint32_t word = std::uint32_t{digest[4 * k]} << 24 | std::uint32_t{digest[4 * k + 1]} << 16 |
                                 std::uint32_t{digest[4 * k + 2]} << 8 | std::uint32_t{digest[4 * k + 3]};
      CHECK(word == portable[k]);
    }
  }
}
