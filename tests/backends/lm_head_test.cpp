#include "solopo/backends/lm_head.hpp"

#include <cmath>
#include <xtensor/xadapt.hpp>
#include <xtensor/xview.hpp>

#include "catch.hpp"
#include "gradient_check.hpp"
#include "random_values.hpp"
#include "solopo/backends/eigen.hpp"
#include "solopo/backends/xtensor.hpp"

using namespace solopo;
using Catch::Matchers::Contains;

namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

static_assert(BatchMatrix<RowMatrix> && BatchMatrix<Eigen::Map<const RowMatrix>> &&
              BatchMatrix<Eigen::Ref<RowMatrix>> && WritableMatrix<Eigen::Block<RowMatrix>> &&
              WritableMatrix<Eigen::Map<RowMatrix, 0, Eigen::OuterStride<>>> &&
              !WritableMatrix<Eigen::Map<const RowMatrix>> && BatchMatrix<const RowMatrix> &&
              !WritableMatrix<const RowMatrix> && !WritableMatrix<const RowMatrix&>);
static_assert(!BatchMatrix<Eigen::MatrixXd> && !BatchMatrix<Eigen::VectorXd> && !BatchMatrix<int*> &&
              !BatchMatrix<std::vector<double>> && !BatchMatrix<Eigen::Matrix<int, -1, -1, Eigen::RowMajor>>);
static_assert(BatchMatrix<xt::xarray<float>> && !BatchMatrix<xt::xtensor<int, 2>>);

// Responses of different lengths over `scored` rows of `rows`, some rows scored twice, some never.
struct Example {
  std::ptrdiff_t rows, width = 5, vocab = 11;
  std::vector<double> hidden, head, dlogps;
  std::vector<HeadTarget> targets;
  std::size_t responses = 3;

  explicit Example(std::ptrdiff_t scored) : rows(scored + 4) {
    hidden = test::normal_values<double>(static_cast<std::size_t>(rows * width), "hidden");
    head = test::normal_values<double>(static_cast<std::size_t>(vocab * width), "head");
    dlogps = test::normal_values<double>(responses, "dlogps");
    RandomStream draw(3, "targets");
    for (std::ptrdiff_t i = 0; i < scored; ++i) {
      targets.push_back({static_cast<std::int32_t>(i == 1 ? 0 : i + 2),
                         static_cast<std::int32_t>(draw.below(static_cast<std::uint64_t>(vocab))),
                         static_cast<std::int32_t>(i % 3)});
    }
  }
  [[nodiscard]] MatrixView<const double> h() const { return dense(hidden.data(), rows, width); }
  [[nodiscard]] MatrixView<const double> w() const { return dense(head.data(), vocab, width); }

  // From the definition, one target at a time.
  [[nodiscard]] std::vector<double> naive() const {
    std::vector<double> out(responses);
    for (const HeadTarget& t : targets) {
      double sum = 0, at = 0;
      for (std::ptrdiff_t v = 0; v < vocab; ++v) {
        double z = 0;
        for (std::ptrdiff_t c = 0; c < width; ++c) z += h()(t.row, c) * w()(v, c);
        sum += std::exp(z);
        if (v == t.token) at = z;
      }
      out[static_cast<std::size_t>(t.response)] += at - std::log(sum);
    }
    return out;
  }
};

template <class Product = kernels::DefaultProduct>
std::pair<std::vector<double>, std::vector<double>> gradients(const Example& e) {
  std::vector<double> dh(e.hidden.size(), 7.0), dw(e.head.size(), 0.0);
  const auto forward = head_logps<Product>(e.h(), e.w(), e.targets, e.responses);
  head_logps_backward<Product>(e.h(), e.w(), e.targets, forward, e.dlogps, dense(dh.data(), e.rows, e.width),
                               dense(dw.data(), e.vocab, e.width));
  return {dh, dw};
}

// Remembers the most rows of logits (n = the vocabulary, less than a tile's) that one product made.
struct MostRowsProduct {
  static inline std::ptrdiff_t vocab = 0, rows = 0;

  template <class T>
  static void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, T alpha,
                   const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, T beta, T* c,
                   std::ptrdiff_t ldc) {
    if (n == vocab) rows = std::max(rows, m);
    kernels::PlainProduct::gemm<T>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }
};

}  // namespace

TEST_CASE("The head of any matrices equals its definition and its gradient equals central differences") {
  for (const std::ptrdiff_t scored : {1, 13, 64, 65}) {
    CAPTURE(scored);
    Example e(scored);
    const auto expected = e.naive();
    const auto loss = [&] {
      double sum = 0;
      const auto logps = e.naive();
      for (std::size_t r = 0; r < logps.size(); ++r) sum += e.dlogps[r] * logps[r];
      return sum;
    };
    const auto out = head_logps(e.h(), e.w(), e.targets, e.responses);
    const auto plain = head_logps<kernels::PlainProduct>(e.h(), e.w(), e.targets, e.responses);
    for (std::size_t r = 0; r < e.responses; ++r) {
      CHECK(out.logps[r] == Approx(expected[r]).epsilon(1e-12));
      CHECK(plain.logps[r] == Approx(expected[r]).epsilon(1e-12));
    }
    for (auto [dh, dw] : {gradients(e), gradients<kernels::PlainProduct>(e)}) {
      CHECK(test::worst_gradient_error(e.hidden, dh, loss) < 1e-6);
      CHECK(test::worst_gradient_error(e.head, dw, loss) < 1e-6);
      CHECK(dh[static_cast<std::size_t>(e.width)] == 0);  // row 1 is never scored
      for (double& x : dw) x = -x;
      CHECK(test::worst_gradient_error(e.head, dw, loss) > 1e-2);
    }
  }
}

TEST_CASE("The backward adds into dhead what it writes into a dhead of zeros") {
  const Example e(65);
  const auto forward = head_logps(e.h(), e.w(), e.targets, e.responses);
  const auto [dh, dw] = gradients(e);
  std::vector<double> again(dh.size()), sum(dw.size(), 2.0);
  head_logps_backward(e.h(), e.w(), e.targets, forward, e.dlogps, dense(again.data(), e.rows, e.width),
                      dense(sum.data(), e.vocab, e.width));
  CHECK(again == dh);
  for (std::size_t i = 0; i < dw.size(); ++i) CHECK(sum[i] == Approx(2.0 + dw[i]).epsilon(1e-12));
}

TEST_CASE("Eigen, xtensor and pointers give the same log-probabilities and gradients") {
  const Example e(65);
  const auto [dh, dw] = gradients(e);
  const auto expected = head_logps(e.h(), e.w(), e.targets, e.responses);

  // Eigen: a block of a wider matrix, and foreign memory with a stride.
  RowMatrix wide = RowMatrix::Constant(e.rows + 2, e.width + 3, 9.0), wide_gradient = wide;
  wide.block(1, 2, e.rows, e.width) = Eigen::Map<const RowMatrix>(e.hidden.data(), e.rows, e.width);
  const RowMatrix head = Eigen::Map<const RowMatrix>(e.head.data(), e.vocab, e.width);
  const auto hidden = wide.block(1, 2, e.rows, e.width);
  const auto eigen = head_logps(hidden, head, e.targets, e.responses);
  CHECK(eigen.logps == expected.logps);
  RowMatrix dhead = RowMatrix::Zero(e.vocab, e.width);
  head_logps_backward(hidden, head, e.targets, eigen, e.dlogps, wide_gradient.block(1, 2, e.rows, e.width),
                      dhead);
  CHECK(dhead == Eigen::Map<const RowMatrix>(dw.data(), e.vocab, e.width));
  CHECK(wide_gradient.block(1, 2, e.rows, e.width) ==
        Eigen::Map<const RowMatrix>(dh.data(), e.rows, e.width));
  CHECK(wide_gradient(0, 0) == 9.0);

  // xtensor: a tensor, an array, and a view of rows.
  xt::xtensor<double, 2> all = xt::zeros<double>({static_cast<std::size_t>(e.rows) + 1, std::size_t{5}});
  for (std::ptrdiff_t r = 0; r < e.rows; ++r)
    for (std::ptrdiff_t c = 0; c < e.width; ++c) all(r + 1, c) = e.h()(r, c);
  const auto below = xt::view(all, xt::range(1, e.rows + 1), xt::all());
  xt::xarray<double> array = xt::adapt(e.head, {std::size_t{11}, std::size_t{5}});
  const auto tensors = head_logps(below, array, e.targets, e.responses);
  CHECK(tensors.logps == expected.logps);
  xt::xtensor<double, 2> dx = xt::zeros<double>({static_cast<std::size_t>(e.rows), std::size_t{5}});
  xt::xarray<double> dy = xt::zeros<double>({11, 5});
  head_logps_backward(below, array, e.targets, tensors, e.dlogps, dx, dy);
  CHECK(std::equal(dh.begin(), dh.end(), dx.begin()));
  CHECK(std::equal(dw.begin(), dw.end(), dy.begin()));
}

TEST_CASE("The head in float agrees with double") {
  const Example e(65);
  const std::vector<float> h(e.hidden.begin(), e.hidden.end()), w(e.head.begin(), e.head.end());
  const auto narrow =
      head_logps(dense(h.data(), e.rows, e.width), dense(w.data(), e.vocab, e.width), e.targets, e.responses);
  const auto exact = head_logps(e.h(), e.w(), e.targets, e.responses);
  for (std::size_t r = 0; r < e.responses; ++r)
    CHECK(narrow.logps[r] == Approx(exact.logps[r]).epsilon(2e-5));

  const std::vector<float> d(e.dlogps.begin(), e.dlogps.end());
  std::vector<float> dh(h.size()), dw(w.size());
  head_logps_backward(dense(h.data(), e.rows, e.width), dense(w.data(), e.vocab, e.width), e.targets, narrow,
                      d, dense(dh.data(), e.rows, e.width), dense(dw.data(), e.vocab, e.width));
  const auto [dh_exact, dw_exact] = gradients(e);
  for (std::size_t i = 0; i < dh.size(); ++i) CHECK(dh[i] == Approx(dh_exact[i]).margin(1e-5));
  for (std::size_t i = 0; i < dw.size(); ++i) CHECK(dw[i] == Approx(dw_exact[i]).margin(1e-5));
}

TEST_CASE("Shapes and targets that do not fit are refused by name") {
  Example e(5);
  const auto forward = head_logps(e.h(), e.w(), e.targets, e.responses);
  CHECK_THROWS_WITH(head_logps(e.h(), dense<const double>(e.head.data(), 5, 11), e.targets, e.responses),
                    Contains("head: has shape (5, 11), expected (vocabulary, 5)"));
  std::vector<double> d(e.hidden.size());
  CHECK_THROWS_WITH(head_logps_backward(e.h(), e.w(), e.targets, forward, e.dlogps, dense(d.data(), 3, 5),
                                        dense(d.data(), 11, 5)),
                    Contains("dhidden: has shape (3, 5), expected (9, 5)"));
  CHECK_THROWS_WITH(head_logps_backward(e.h(), e.w(), e.targets, forward, e.dlogps,
                                        dense(d.data(), e.rows, e.width), dense(d.data(), 5, 9)),
                    Contains("dhead: has shape (5, 9), expected (11, 5)"));
  for (const std::size_t n : {2, 4}) {
    const std::vector<double> other(n);
    std::vector<double> dw(e.head.size());
    CHECK_THROWS_WITH(
        head_logps_backward(e.h(), e.w(), e.targets, forward, other, dense(d.data(), e.rows, e.width),
                            dense(dw.data(), e.vocab, e.width)),
        Contains("dlogps: has " + std::to_string(n) + " entries, expected 3"));
  }
  CHECK_THROWS_WITH(head_logps(e.h(), e.w(), e.targets, 2),
                    Contains("targets[2]: response 2 is not in [0, 2)"));
  e.targets[1].token = 11;
  CHECK_THROWS_WITH(head_logps(e.h(), e.w(), e.targets, e.responses), Contains("targets[1]: token 11"));
  e.targets[1].token = 0;
  e.targets[3].row = -1;
  CHECK_THROWS_WITH(head_logps(e.h(), e.w(), e.targets, e.responses), Contains("targets[3]: row -1"));
}

TEST_CASE("A matrix that turns out not to be row-major is refused by what it is") {
  const Example e(5);
  const xt::xarray<double, xt::layout_type::column_major> columns = xt::zeros<double>({11, 5});
  CHECK_THROWS_WITH(head_logps(e.h(), columns, e.targets, e.responses),
                    Contains("head: has 11 elements from one column to the next") && Contains("row-major"));
  const xt::xarray<double> cube = xt::zeros<double>({2, 11, 5});
  CHECK_THROWS_WITH(head_logps(e.h(), cube, e.targets, e.responses),
                    Contains("head: an xtensor of 3 dimensions"));
  const Eigen::Map<const RowMatrix, 0, Eigen::Stride<-1, -1>> every_second(e.hidden.data(), 4, 2,
                                                                           Eigen::Stride<-1, -1>(5, 2));
  CHECK_THROWS_WITH(head_logps(every_second, every_second, e.targets, e.responses),
                    Contains("hidden: has 2 elements from one column to the next") && Contains("copy"));
}

TEST_CASE("Rows that overlap or run backwards are refused by the argument's name, whoever holds them") {
  const Example e(5);
  const auto refused = [](const char* name, int stride) {
    return Contains(std::string(name) + ": has " + std::to_string(stride) +
                    " elements from one row to the next, expected at least 5");
  };
  const auto forward = head_logps(e.h(), e.w(), e.targets, e.responses);
  std::vector<double> dh(e.hidden.size()), dw(e.head.size());
  const MatrixView<const double> overlapping{e.hidden.data(), e.rows, e.width, 4};
  CHECK_THROWS_WITH(head_logps(overlapping, e.w(), e.targets, e.responses), refused("hidden", 4));
  CHECK_THROWS_WITH(
      head_logps_backward(e.h(), e.w(), e.targets, forward, e.dlogps, dense(dh.data(), e.rows, e.width),
                          MatrixView<double>{dw.data(), e.vocab, e.width, 1}),
      refused("dhead", 1));
  CHECK_THROWS_WITH(head_logps_backward(e.h(), e.w(), e.targets, forward, e.dlogps,
                                        MatrixView<double>{dh.data(), e.rows, e.width, 0},
                                        dense(dw.data(), e.vocab, e.width)),
                    refused("dhidden", 0));
  const Eigen::Map<const RowMatrix, 0, Eigen::OuterStride<>> upwards(
      e.head.data() + (e.vocab - 1) * e.width, e.vocab, e.width, Eigen::OuterStride<>(-5));
  CHECK_THROWS_WITH(head_logps(e.h(), upwards, e.targets, e.responses), refused("head", -5));
  const xt::xtensor<double, 2> head = xt::adapt(e.head, {std::size_t{11}, std::size_t{5}});
  const auto reversed = xt::view(head, xt::range(xt::placeholders::_, xt::placeholders::_, -1), xt::all());
  CHECK_THROWS_WITH(head_logps(e.h(), reversed, e.targets, e.responses), refused("head", -5));
  CHECK_THROWS_WITH(head_logps(MatrixView<const double>{e.hidden.data(), -1, 5, 5}, e.w(), {}, 0),
                    Contains("hidden: has shape (-1, 5)"));
}

TEST_CASE("The stride of a matrix of one row is not looked at") {
  const Example e(1);
  const std::vector<HeadTarget> target{{0, 0, 0}};
  const MatrixView<const double> row{e.hidden.data(), 1, e.width, 0}, head{e.head.data(), 1, e.width, 0};
  const auto out = head_logps(row, head, target, 1);
  CHECK(out.logps[0] == 0);  // a vocabulary of one token
  const std::vector<float> h(5, 1.0f), w(5, 2.0f);
  CHECK(head_logps(MatrixView<const float>{h.data(), 1, 5, 0}, MatrixView<const float>{w.data(), 1, 5, 0},
                   target, 1)
            .logps[0] == 0);
}

TEST_CASE("However many rows are scored, a tile's rows of logits exist at a time") {
  for (const std::ptrdiff_t scored : {10, 512, 1000}) {
    const Example e(scored);
    MostRowsProduct::vocab = e.vocab;
    MostRowsProduct::rows = 0;
    gradients<MostRowsProduct>(e);
    CHECK(MostRowsProduct::rows == std::min<std::ptrdiff_t>(scored, 512));
  }
}
