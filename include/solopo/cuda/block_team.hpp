// The threads of a block as the team that works on one row: the row rules of kernels/ run on a device as they
// are. Block is what a block of threads can do; DeviceBlock (block.cuh) is a real one.
#pragma once

#include "solopo/core/config.hpp"

// Functions that only a device runs; a host runs them when it plays a device.
#if defined(__CUDACC__)
#define SOLOPO_DEVICE __device__
#define SOLOPO_UNROLL _Pragma("unroll")
#else
#define SOLOPO_DEVICE
#define SOLOPO_UNROLL
#endif

namespace solopo::cuda {

inline constexpr int warp_size = 32;

template <class Block>
class BlockTeam {
 public:
  SOLOPO_DEVICE explicit BlockTeam(Block& block) : block_(block) {}

  template <class F>
  SOLOPO_HD void each(int n, F&& f) const {
    for (int i = block_.thread(); i < n; i += block_.threads()) f(i);
  }
  template <class F>
  SOLOPO_HD void once(F&& f) const {
    block_.sync();
    if (block_.thread() == 0) f();
  }
  // Thread t adds elements t, t + threads, ...; then lanes of a warp pairwise, then warps in order. Every
  // thread gets the sum.
  template <class T, class F>
  SOLOPO_HD T sum(int n, F&& f) const {
    T own = 0;
    for (int i = block_.thread(); i < n; i += block_.threads()) own += f(i);
    return all(own, [](T a, T b) { return a + b; });
  }
  template <class T, class F>
  SOLOPO_HD T max(int n, T floor, F&& f) const {
    T own = floor;
    for (int i = block_.thread(); i < n; i += block_.threads()) {
      const T v = f(i);
      own = own > v ? own : v;
    }
    return all(own, [](T a, T b) { return a > b ? a : b; });
  }

 private:
  template <class T, class Op>
  SOLOPO_HD T all(T own, Op&& op) const {
    for (int mask = warp_size / 2; mask > 0; mask /= 2) own = op(own, block_.shuffle_xor(own, mask));
    T* const warps = reinterpret_cast<T*>(block_.scratch());
    const int thread = block_.thread(), count = block_.threads() / warp_size;
    if (thread % warp_size == 0) warps[thread / warp_size] = own;
    block_.sync();
    T total = warps[0];
    for (int w = 1; w < count; ++w) total = op(total, warps[w]);
    block_.sync();  // before the next sum overwrites
    return total;
  }

  Block& block_;
};

// A row that `lanes` threads hold in arrays of their own, `own` elements each, those behind the row's end
// zero: rules see those arrays, and only sums are the team's. lanes: a warp's, or 0 for the whole block.
template <class Block, int own, int lanes>
class HeldRowTeam {
 public:
  SOLOPO_DEVICE explicit HeldRowTeam(Block& block) : block_(block) {}
  template <class F>
  SOLOPO_HD void each(int, F&& f) const {
    SOLOPO_UNROLL
    for (int i = 0; i < own; ++i) f(i);
  }
  template <class T, class F>
  SOLOPO_HD T sum(int, F&& f) const {
    T sum = 0;
    SOLOPO_UNROLL
    for (int i = 0; i < own; ++i) sum += f(i);
    if constexpr (lanes == warp_size) {
      for (int mask = warp_size / 2; mask > 0; mask /= 2) sum += block_.shuffle_xor(sum, mask);
      return sum;
    } else {
      return BlockTeam<Block>(block_).template sum<T>(block_.threads(), [&](int) { return sum; });
    }
  }

 private:
  Block& block_;
};

// Eight neighbours, moved as 16-byte pieces: their address must be a multiple of 16.
template <class T>
struct alignas(16) Piece {
  static constexpr int size = 8;
  T v[size];

  SOLOPO_HD static Piece load(const T* from) { return *reinterpret_cast<const Piece*>(from); }
  SOLOPO_HD void store(T* to) const { *reinterpret_cast<Piece*>(to) = *this; }
};

// The lanes of one warp, for rules without sums.
template <class Block>
class WarpTeam {
 public:
  SOLOPO_DEVICE explicit WarpTeam(Block& block) : lane_(block.thread() % warp_size) {}
  template <class F>
  SOLOPO_HD void each(int n, F&& f) const {
    for (int i = lane_; i < n; i += warp_size) f(i);
  }

 private:
  int lane_;
};

}  // namespace solopo::cuda
