// Which record stands at which place of training: a fresh permutation each epoch, drawn from (seed, epoch)
// alone, so any place can be found without replaying what came before.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/core/random.hpp"

namespace solopo {

class RecordOrder {
 public:
  // Throws ArgumentError when there are no records.
  RecordOrder(std::uint64_t seed, std::size_t records) : seed_(seed), permutation_(records) {
    if (records == 0) throw ArgumentError("records", "must not be empty");
    draw(0);
  }

  // The record at place `position` of the endless stream; places [e * n, (e + 1) * n) are epoch e.
  [[nodiscard]] std::size_t at(std::uint64_t position) {
    const std::uint64_t epoch = position / permutation_.size();
    if (epoch != epoch_) draw(epoch);
    return permutation_[position % permutation_.size()];
  }

  // The records of places [begin, begin + count); it may cross the edge of an epoch.
  [[nodiscard]] std::vector<std::size_t> batch(std::uint64_t begin, std::size_t count) {
    std::vector<std::size_t> out(count);
    for (std::size_t i = 0; i < count; ++i) out[i] = at(begin + i);
    return out;
  }

 private:
  void draw(std::uint64_t epoch) {
    std::iota(permutation_.begin(), permutation_.end(), std::size_t{0});
    RandomStream(seed_, "record order", epoch).shuffle(permutation_);
    epoch_ = epoch;
  }

  std::uint64_t seed_;
  std::uint64_t epoch_ = 0;
  std::vector<std::size_t> permutation_;
};

}  // namespace solopo
