// Seeds of the hash tables whose keys come from a file.
#pragma once

#include <cstdint>
#include <random>

namespace solopo::text {

// Another one each time, so that no file can hold keys that all begin at one slot.
[[nodiscard]] inline std::uint64_t new_hash_seed() {
  std::random_device source;
  const std::uint64_t high = source();
  return high << 32 | source();
}

}  // namespace solopo::text
