// What generation on a device needs, run by a host that plays it.
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>
#include "catch.hpp"

#include "host_device.hpp"
#include "parity.hpp"
#include "solopo/cuda/split_attention.hpp"

namespace {

using namespace solopo;
using test::HostQueue;

template <class T>
std::vector<T> noise(std::size_t n, RandomStream& random) {
  std::vector<T> out(n);
  for (T& x : out) x = T(static_cast<float>(random.normal()));
  return out;
}

struct Heads {
  int heads, kv_heads, d;
};

// Random q, k, v and the two kernels over them.
template <class T>
struct SplitCase {
  Heads h;
  std::ptrdiff_t rows, keys;
  std::vector<T> q, kv, out;

  SplitCase(Heads heads, std::ptrdiff_t q_rows, std::ptrdiff_t kv_rows)
      : h(heads), rows(q_rows), keys(kv_rows) {
    RandomStream random(5, "split");
    q = noise<T>(static_cast<std::size_t>(rows * h.heads * h.d), random);
    kv = noise<T>(static_cast<std::size_t>(2 * keys * h.kv_heads * h.d), random);
    out.resize(q.size());
  }
  [[nodiscard]] kernels::KeyValues<T> read(HostQueue::Array<T>& place) const {
    std::copy(kv.begin(), kv.end(), place.data());
    const std::ptrdiff_t width = std::ptrdiff_t(h.kv_heads) * h.d;
    return {{place.data(), keys, width, 2 * width}, {place.data() + width, keys, width, 2 * width}};
  }
  void run(HostQueue& queue, std::span<const kernels::AttentionTile> tiles) {
    HostQueue::Array<T> queries(q.size()), cache(kv.size()), result(q.size());
    std::copy(q.begin(), q.end(), queries.data());
    const std::ptrdiff_t width = std::ptrdiff_t(h.heads) * h.d;
    cuda::SplitAttention<T, HostQueue> attention(queue, h.heads, h.kv_heads, h.d);
    attention.set(tiles, static_cast<std::int32_t>(rows));
    attention.forward(dense<const T>(queries.data(), rows, width), read(cache),
                      dense(result.data(), rows, width));
    std::copy_n(result.data(), out.size(), out.begin());
  }
  // In float64, one key after the other.
  [[nodiscard]] std::vector<float> expected(std::span<const kernels::AttentionTile> tiles) const {
    const std::size_t width = static_cast<std::size_t>(h.heads * h.d), d = static_cast<std::size_t>(h.d),
                      kv_width = static_cast<std::size_t>(h.kv_heads) * d;
    std::vector<float> all(out.size());
    for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row)
      for (std::size_t head = 0; head < static_cast<std::size_t>(h.heads); ++head) {
        const std::size_t column = head / static_cast<std::size_t>(h.heads / h.kv_heads) * d;
        double sum = 0;
        std::vector<double> o(d, 0.0);
        for (const kernels::AttentionTile& t : tiles) {
          if (static_cast<std::int32_t>(row) < t.q_begin || static_cast<std::int32_t>(row) >= t.q_end)
            continue;
          for (auto key = static_cast<std::size_t>(t.kv_begin); key < static_cast<std::size_t>(t.kv_end);
               ++key) {
            double score = 0;
            for (std::size_t i = 0; i < d; ++i)
              score += static_cast<double>(static_cast<float>(q[row * width + head * d + i])) *
                       static_cast<double>(static_cast<float>(kv[key * 2 * kv_width + column + i]));
            const double p = std::exp(score / std::sqrt(static_cast<double>(d)));
            sum += p;
            for (std::size_t i = 0; i < d; ++i)
              o[i] += p * static_cast<double>(static_cast<float>(kv[(key * 2 + 1) * kv_width + column + i]));
          }
        }
        for (std::size_t i = 0; i < d && sum > 0; ++i)
          all[row * width + head * d + i] = static_cast<float>(o[i] / sum);
      }
    return all;
  }
  [[nodiscard]] std::vector<float> as_floats() const { return {out.begin(), out.end()}; }
};

// Rows [0, rows - 1) share keys [1, 1 + shared); each row but the last has `own` keys more, too. The last row
// has none.
std::vector<kernels::AttentionTile> shared_and_own(std::int32_t rows, std::int32_t shared, std::int32_t own) {
  std::vector<kernels::AttentionTile> tiles = {{0, rows - 1, 1, 1 + shared, false}};
  for (std::int32_t i = 0; i + 1 < rows; ++i)
    tiles.push_back({i, i + 1, 1 + shared + i * own, 1 + shared + (i + 1) * own, false});
  return tiles;
}

TEST_CASE("attention split over its keys is attention", "[cuda]") {
  HostQueue queue(GENERATE(1, 2));
  const Heads heads = GENERATE(Heads{4, 2, 6}, Heads{3, 3, 8}, Heads{7, 1, 80});
  const std::int32_t shared = GENERATE(1, 61, 64, 65, 191), rows = GENERATE(2, 12),
                     own = shared == 61 ? 67 : 3;
  CAPTURE(heads.d, shared, rows);
  const auto tiles = shared_and_own(rows, shared, own);
  const std::ptrdiff_t keys = 1 + shared + std::ptrdiff_t(rows) * own;
  SplitCase<float> exact(heads, rows, keys);
  exact.run(queue, tiles);
  CHECK(test::relative_difference(exact.as_floats(), exact.expected(tiles)) < 1e-6);
  SplitCase<BFloat16> rounded(heads, rows, keys);
  rounded.run(queue, tiles);
  CHECK(test::relative_difference(rounded.as_floats(), rounded.expected(tiles)) < 3e-3);  // of the output
}

TEST_CASE("a row's attention does not depend on the rows beside it", "[cuda]") {
  HostQueue queue;
  const std::int32_t rows = 11, shared = 131, own = 5;
  SplitCase<float> together({6, 2, 6}, rows + 1, 1 + shared + rows * own), alone = together;
  const auto tiles = shared_and_own(rows + 1, shared, own);
  together.run(queue, tiles);
  alone.run(queue, std::vector<kernels::AttentionTile>{{9, 10, 1, 1 + shared, false}, tiles[10]});
  const auto row = [&](const SplitCase<float>& c) { return std::span(c.out).subspan(9 * 36, 36); };
  CHECK(std::equal(row(together).begin(), row(together).end(), row(alone).begin()));
}

}  // namespace
