#include "solopo/text/bpe.hpp"

#include <chrono>
#include <string>

#include "../io/test_files.hpp"
#include "catch.hpp"
#include "solopo/core/random.hpp"

using namespace solopo::text;
using Ids = std::vector<std::int32_t>;

namespace {
// Bytes are their own tokens; `merges` make 256, 257, ...
BytePairEncoder encoder(const std::vector<std::pair<int, int>>& merges) {
  std::array<std::int32_t, 256> bytes{};
  for (std::int32_t b = 0; b < 256; ++b) bytes[static_cast<std::size_t>(b)] = b;
  std::vector<Merge> table;
  for (const auto& [left, right] : merges) {
    table.push_back({left, right, static_cast<std::int32_t>(256 + table.size())});
  }
  return BytePairEncoder(bytes, table);
}
Ids encode(const BytePairEncoder& bpe, std::string_view piece) {
  Ids out;
  bpe.encode(piece, out);
  return out;
}
// The rule itself: rank by rank of the least, leftmost first.
Ids naive(const MergeTable& table, std::string_view piece) {
  Ids ids;
  for (const char c : piece) ids.push_back(static_cast<unsigned char>(c));
  for (;;) {
    std::size_t best = ids.size();
    MergeTable::Found found;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto pair = table.find(ids[i], ids[i + 1]);
      if (pair.rank < found.rank) {
        found = pair;
        best = i;
      }
    }
    if (best == ids.size()) return ids;
    ids[best] = found.whole;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}
}  // namespace

TEST_CASE("the pair of lowest rank merges first, not the first pair") {
  const auto bpe = encoder({{'b', 'c'}, {'a', 'b'}});
  CHECK(encode(bpe, "abc") == Ids{'a', 256});
  CHECK(encode(bpe, "ab") == Ids{257});
}

TEST_CASE("of equal pairs the leftmost merges first") {
  const auto bpe = encoder({{'a', 'a'}});
  CHECK(encode(bpe, "aaa") == Ids{256, 'a'});
  CHECK(encode(bpe, "aaaaa") == Ids{256, 256, 'a'});
  const std::string many(101, 'a');  // past the scan, into the heap
  Ids expected(50, 256);
  expected.push_back('a');
  CHECK(encode(bpe, many) == expected);
}

TEST_CASE("pieces of any length merge as the rule says") {
  solopo::RandomStream random(3, "bpe test");
  std::vector<std::pair<int, int>> merges;
  std::vector<Merge> table;
  for (int m = 0; m < 200; ++m) {
    const auto any = [&] {
      const auto n = static_cast<int>(random.below(4 + merges.size()));
      return n < 4 ? 'a' + n : 252 + n;
    };
    merges.emplace_back(any(), any());
    table.push_back({merges.back().first, merges.back().second, static_cast<std::int32_t>(256 + m)});
  }
  const auto bpe = encoder(merges);
  const MergeTable lookup(table);
  bool equal = true;
  for (std::size_t length = 0; length < 300; ++length) {
    std::string piece;
    for (std::size_t i = 0; i < length; ++i) piece += static_cast<char>('a' + random.below(4));
    equal &= encode(bpe, piece) == naive(lookup, piece);
  }
  CHECK(equal);
}

TEST_CASE("a megabyte of one letter is not quadratic") {
  const auto bpe = encoder({{'a', 'a'}, {256, 256}, {257, 257}, {258, 258}});
  const auto start = std::chrono::steady_clock::now();
  const Ids ids = encode(bpe, std::string(std::size_t{1} << 20, 'a'));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  CHECK(ids == Ids(std::size_t{1} << 16, 259));
  CHECK(seconds.count() < 20);  // under a second; a scan for every merge would take hours
}

TEST_CASE("pairs chosen so that their hashes collide are not quadratic") {
  // mix_bits undone: the pairs whose hash ends with 20 zero bits.
  const auto inverse = [](std::uint64_t odd) {
    std::uint64_t x = odd;
    for (int i = 0; i < 5; ++i) x *= 2 - odd * x;
    return x;
  };
  const std::uint64_t first = inverse(0xbf58476d1ce4e5b9ULL), second = inverse(0x94d049bb133111ebULL);
  std::vector<Merge> merges;
  for (std::uint64_t i = 1; merges.size() < 60000; ++i) {
    std::uint64_t z = i << 20;
    z = (z ^ (z >> 31) ^ (z >> 62)) * second;
    z = (z ^ (z >> 27) ^ (z >> 54)) * first;
    z = z ^ (z >> 30) ^ (z >> 60);
    REQUIRE(solopo::mix_bits(z) == i << 20);
    const Merge merge{static_cast<std::int32_t>(z >> 32), static_cast<std::int32_t>(z & 0xffffffff), 1};
    if (merge.left >= 0 && merge.right >= 0) merges.push_back(merge);
  }
  const solopo::test::CpuTimer timer;
  const MergeTable table(merges);
  CHECK(table.find(merges.back().left, merges.back().right).rank == merges.size() - 1);
  CHECK(timer.seconds() < 0.5);  // some milliseconds; all from one slot on: seconds
}

TEST_CASE("a byte without a token is dropped") {
  std::array<std::int32_t, 256> bytes{};
  bytes.fill(-1);
  bytes['a'] = 0;
  CHECK(encode(BytePairEncoder(bytes, {}), "abaXa") == Ids{0, 0, 0});
  CHECK(encode(BytePairEncoder(), "abc").empty());
}

TEST_CASE("of a pair listed twice the last counts") {
  const auto bpe = encoder({{'a', 'b'}, {'b', 'c'}, {'a', 'b'}});
  CHECK(encode(bpe, "abc") == Ids{'a', 257});
  CHECK(encode(bpe, "ab") == Ids{258});
}
