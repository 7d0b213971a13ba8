// Byte-pair encoding of one piece: the adjacent pair of lowest rank is merged, the leftmost of equals, until
// no adjacent pair can be (Sennrich, Haddow and Birch 2016, arXiv 1508.07909).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <queue>
#include <span>
#include <string_view>
#include <vector>

#include "solopo/core/random.hpp"
#include "solopo/text/hash_seed.hpp"

namespace solopo::text {

struct Merge {
  std::int32_t left = 0, right = 0;  // token ids
  std::int32_t whole = 0;            // the token they become
};

// A pair's rank and what it becomes.
class MergeTable {
 public:
  struct Found {
    std::uint32_t rank = no_rank;  // no_rank: the pair does not merge
    std::int32_t whole = 0;
  };
  static constexpr std::uint32_t no_rank = std::numeric_limits<std::uint32_t>::max();

  MergeTable() = default;
  // Rank = position. Of a pair that is listed twice the last counts.
  explicit MergeTable(std::span<const Merge> merges)
      : slots_(std::bit_ceil(2 * merges.size() + 2), Slot{empty, {}}), seed_(new_hash_seed()) {
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      const Merge& m = merges[rank];
      const std::uint64_t key = pair_key(m.left, m.right);
      std::size_t slot = start(key);
      while (slots_[slot].key != empty && slots_[slot].key != key) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = {key, {static_cast<std::uint32_t>(rank), m.whole}};
    }
  }

  [[nodiscard]] Found find(std::int32_t left, std::int32_t right) const noexcept {
    if (slots_.empty()) return {};
    const std::uint64_t key = pair_key(left, right);
    for (std::size_t slot = start(key);; slot = (slot + 1) & (slots_.size() - 1)) {
      if (slots_[slot].key == key) return slots_[slot].found;
      if (slots_[slot].key == empty) return {};
    }
  }

 private:
  static constexpr std::uint64_t empty = std::numeric_limits<std::uint64_t>::max();  // ids are not negative
  struct Slot {
    std::uint64_t key = empty;
    Found found;
  };
  [[nodiscard]] static std::uint64_t pair_key(std::int32_t left, std::int32_t right) noexcept {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }
  [[nodiscard]] std::size_t start(std::uint64_t key) const noexcept {
    return static_cast<std::size_t>(mix_bits(key ^ seed_)) & (slots_.size() - 1);
  }

  std::vector<Slot> slots_;  // a power of two, at most half full
  std::uint64_t seed_ = 0;
};

class BytePairEncoder {
 public:
  // `byte_tokens`: the token of each byte, -1 where the vocabulary has none; such bytes are dropped.
  BytePairEncoder() { byte_tokens_.fill(-1); }
  BytePairEncoder(const std::array<std::int32_t, 256>& byte_tokens, std::span<const Merge> merges)
      : byte_tokens_(byte_tokens), merges_(merges) {}

  // Appends the tokens of `piece`. Time n log n in its bytes, also for a million equal letters.
  void encode(std::string_view piece, std::vector<std::int32_t>& out) const {
    const std::size_t first = out.size();
    for (const char b : piece) {
      const std::int32_t token = byte_tokens_[static_cast<unsigned char>(b)];
      if (token >= 0) out.push_back(token);
    }
    const std::size_t count = out.size() - first;
    if (count < 2) return;
    out.resize(first + (count <= short_piece ? merge_short(out.data() + first, count)
                                             : merge_long(out.data() + first, count)));
  }

  [[nodiscard]] std::int32_t byte_token(unsigned char byte) const noexcept { return byte_tokens_[byte]; }

 private:
  static constexpr std::size_t short_piece = 64;  // up to here a scan for the least beats a heap

  // Merges tokens in place, returns how many are left. Quadratic.
  std::size_t merge_short(std::int32_t* tokens, std::size_t count) const noexcept {
    std::array<MergeTable::Found, short_piece> pairs;  // pairs[i]: tokens i and i + 1
    for (std::size_t i = 0; i + 1 < count; ++i) pairs[i] = merges_.find(tokens[i], tokens[i + 1]);
    while (count > 1) {
      std::size_t best = 0;
      for (std::size_t i = 1; i + 1 < count; ++i) {
        if (pairs[i].rank < pairs[best].rank) best = i;
      }
      if (pairs[best].rank == MergeTable::no_rank) break;
      tokens[best] = pairs[best].whole;
      --count;
      for (std::size_t i = best + 1; i < count; ++i) tokens[i] = tokens[i + 1];
      for (std::size_t i = best + 1; i + 1 < count; ++i) pairs[i] = pairs[i + 1];
      if (best > 0) pairs[best - 1] = merges_.find(tokens[best - 1], tokens[best]);
      if (best + 1 < count) pairs[best] = merges_.find(tokens[best], tokens[best + 1]);
    }
    return count;
  }

  struct Candidate {
    std::uint32_t rank;
    std::size_t at;  // of the left token
    std::int32_t whole;
    friend bool operator<(const Candidate& a,
                          const Candidate& b) noexcept {  // the queue's top is the greatest
      return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
    }
  };

  std::size_t merge_long(std::int32_t* tokens, std::size_t count) const {
    static constexpr std::int32_t gone = -1;
    std::vector<std::size_t> next(count), previous(count);
    std::vector<Candidate> found;
    const auto consider = [&](std::size_t left, std::size_t right, auto&& add) {
      const MergeTable::Found pair = merges_.find(tokens[left], tokens[right]);
      if (pair.rank != MergeTable::no_rank) add(Candidate{pair.rank, left, pair.whole});
    };
    for (std::size_t i = 0; i < count; ++i) {
      next[i] = i + 1;
      previous[i] = i - 1;  // of the first: not read
      if (i + 1 < count) consider(i, i + 1, [&](const Candidate& c) { found.push_back(c); });
    }
    std::priority_queue<Candidate> queue(std::less<Candidate>{}, std::move(found));
    const auto push = [&](const Candidate& c) { queue.push(c); };
    while (!queue.empty()) {
      const Candidate top = queue.top();
      queue.pop();
      if (tokens[top.at] == gone || next[top.at] >= count) continue;
      const std::size_t right = next[top.at];
      if (merges_.find(tokens[top.at], tokens[right]).rank != top.rank) continue;  // one of them merged since
      tokens[top.at] = top.whole;
      tokens[right] = gone;
      next[top.at] = next[right];
      if (next[right] < count) {
        previous[next[right]] = top.at;
        consider(top.at, next[right], push);
      }
      if (top.at > 0) consider(previous[top.at], top.at, push);
    }
    std::size_t left = 0;
    for (std::size_t i = 0; i < count; i = next[i]) tokens[left++] = tokens[i];
    return left;
  }

  std::array<std::int32_t, 256> byte_tokens_{};
  MergeTable merges_;
};

}  // namespace solopo::text
