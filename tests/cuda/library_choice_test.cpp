#include <cstdint>
#include <vector>
#include "catch.hpp"

#include "solopo/cuda/library_choice.hpp"

namespace {

using namespace solopo;

PackedSequences sequence(std::size_t prompt, std::size_t response) {
  PackedSequences batch;
  batch.append(std::vector<std::int32_t>(prompt, 1), std::vector<std::int32_t>(response + 1, 1));
  return batch;
}
std::int64_t triangle(std::int64_t n) { return n * (n + 1) / 2; }

// SmolLM2-135M's: 14 operations a pair, 576 columns, 30 layers.
constexpr double smollm2 = 14.0 * 576 * 30;

TEST_CASE("a library is asked where a run's lengths make its plans worth it", "[cuda]") {
  cuda::LibraryUses uses;
  SECTION("lengths that repeat") {
    uses.add(sequence(8000, 192), 1000);
    uses.add(sequence(1000, 24), 1000);
    CHECK(uses.least(smollm2) == triangle(1024));
  }
  SECTION("lengths that repeat too seldom for a short sequence") {
    uses.add(sequence(8000, 192), 1000);
    uses.add(sequence(1000, 24), 10);
    CHECK(uses.least(smollm2) == triangle(8192));
  }
  SECTION("each length once") {
    for (std::size_t i = 0; i < 100; ++i) uses.add(sequence(4000 + i, 192), 1);
    CHECK(uses.least(smollm2) == cuda::never_library);
  }
  SECTION("each length once, but so long that a plan is soon paid for") {
    for (std::size_t i = 0; i < 100; ++i) uses.add(sequence(30000 + i, 192), 1);
    for (std::size_t i = 0; i < 100; ++i) uses.add(sequence(1000 + i, 192), 1);
    CHECK(uses.least(smollm2) == triangle(30192));
  }
  SECTION("nothing worth asking for") {
    uses.add(sequence(100, 10), 1e9);
    CHECK(uses.least(smollm2) == cuda::never_library);
  }
}

TEST_CASE("calls of the same queries are asked for together", "[cuda]") {
  PackedSequences batch;
  const std::vector<std::int32_t> prompt(2048, 1), first(512, 1), second(512, 1);
  const std::span<const std::int32_t> pair[] = {first, second};
  batch.append_shared(prompt, pair);
  cuda::LibraryUses uses;
  uses.add(batch, 1e6);
  // The prompt with the first response is one causal call; the second response sees prompt and itself.
  CHECK(uses.least(smollm2) == 511 * 2048 + triangle(511));
}

}  // namespace
