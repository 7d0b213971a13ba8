#include "statistics.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"

using namespace solopo;
using namespace solopo::cli;

namespace {

// Shares of 0 and 1 values with `ones` ones.
std::vector<double> zeros_and_ones(std::size_t n, std::size_t ones) {
  std::vector<double> out(n, 0.0);
  for (std::size_t i = 0; i < ones; ++i) out[i] = 1;
  return out;
}

}  // namespace

TEST_CASE("Wilson's interval has its published values") {
  // Newcombe 1998 (Statistics in Medicine 17), table I, method 3, to four decimals.
  struct Case {
    std::int64_t successes, n;
    double low, high;
  };
  for (const Case& c : {Case{81, 263, 0.2553, 0.3662}, Case{15, 148, 0.0624, 0.1605},
                        Case{0, 20, 0.0, 0.1611}, Case{1, 29, 0.0061, 0.1718}}) {
    const Interval i = wilson(c.successes, c.n);
    CAPTURE(c.successes, c.n);
    CHECK(i.value == Approx(static_cast<double>(c.successes) / static_cast<double>(c.n)));
    CHECK(i.low == Approx(c.low).margin(5e-5));
    CHECK(i.high == Approx(c.high).margin(5e-5));
  }
}

TEST_CASE("Wilson's interval solves its defining equation at both ends") {
  // |p - share| = z sqrt(p (1 - p) / n) at p = low and p = high.
  for (const std::int64_t k : {1, 7, 30, 59}) {
    const Interval i = wilson(k, 60);
    for (const double p : {i.low, i.high})
      CHECK(std::abs(p - i.value) ==
            Approx(normal_quantile_975 * std::sqrt(p * (1 - p) / 60)).epsilon(1e-10));
  }
}

TEST_CASE("Wilson's interval refuses impossible counts") {
  CHECK_THROWS_AS(wilson(0, 0), ArgumentError);
  CHECK_THROWS_AS(wilson(3, 2), ArgumentError);
  CHECK_THROWS_AS(wilson(-1, 2), ArgumentError);
}

TEST_CASE("Quantiles are linear between neighbours") {
  const std::vector<double> sorted{1, 2, 4, 8};
  CHECK(quantile(sorted, 0) == 1);
  CHECK(quantile(sorted, 1) == 8);
  CHECK(quantile(sorted, 0.5) == Approx(3));
  CHECK(quantile(sorted, 0.9) == Approx(4 + 0.7 * 4));
  CHECK_THROWS_AS(quantile(std::vector<double>{}, 0.5), ArgumentError);
}

TEST_CASE("The bootstrap of a share agrees with the normal approximation") {
  // 400 values, 30 % ones: standard error sqrt(.3 * .7 / 400) = 0.0229.
  const Interval i = bootstrap_mean(zeros_and_ones(400, 120), {.resamples = 20000, .seed = 3});
  const double half = normal_quantile_975 * std::sqrt(0.3 * 0.7 / 400);
  CHECK(i.value == Approx(0.3));
  CHECK(i.low == Approx(0.3 - half).margin(0.003));
  CHECK(i.high == Approx(0.3 + half).margin(0.003));
}

TEST_CASE("The bootstrap of paired differences sees that they are paired") {
  // Both models are right on 100 of 200 questions, the second also on 10 more: an unpaired interval of the
  // difference of two shares would be +-0.098 wide and hold 0.
  std::vector<double> differences(200, 0.0);
  for (std::size_t i = 0; i < 10; ++i) differences[i] = 1;
  const Interval i = bootstrap_mean(differences);
  CHECK(i.value == Approx(0.05));
  CHECK(i.low > 0.015);
  CHECK(i.high < 0.09);
}

TEST_CASE("The bootstrap of equal values is that value") {
  const Interval i = bootstrap_mean(std::vector<double>(20, 0.25));
  CHECK(i.low == 0.25);
  CHECK(i.high == 0.25);
}

TEST_CASE("The bootstrap repeats with its seed and changes with it") {
  const std::vector<double> values = zeros_and_ones(50, 20);
  const Interval a = bootstrap_mean(values, {.seed = 1}), b = bootstrap_mean(values, {.seed = 1});
  CHECK(a.low == b.low);
  CHECK(a.high == b.high);
  std::vector<double> uneven;
  for (int k = 0; k < 50; ++k) uneven.push_back(std::exp(0.1 * k));
  const Interval c = bootstrap_mean(uneven, {.resamples = 200, .seed = 1}),
                 d = bootstrap_mean(uneven, {.resamples = 200, .seed = 2});
  CHECK(c.low != d.low);
}

TEST_CASE("The bootstrap refuses no values and impossible options") {
  const std::vector<double> one{1};
  CHECK_THROWS_AS(bootstrap_mean(std::vector<double>{}), ArgumentError);
  CHECK_THROWS_AS(bootstrap_mean(one, {.resamples = 0}), ArgumentError);
  CHECK_THROWS_AS(bootstrap_mean(one, {.confidence = 1}), ArgumentError);
}
