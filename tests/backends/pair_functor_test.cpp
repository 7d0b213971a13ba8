// What a kernel runs in each thread, and its sums, run here in loops: against the golden values and against
// batch_loss().
#include "solopo/backends/pair_functor.hpp"

#include "every_objective.hpp"
#include "golden_options.hpp"
#include "objective_checks.hpp"
#include "pair_arrays.hpp"
#include "solopo/backends/batch_loss.hpp"
#include "solopo/backends/checked_pair.hpp"

using namespace rule_checks;

namespace {

// Of `pairs` pairs as the kernel's blocks and lanes take them; faults keeps the least.
template <class O, class T>
PairSums sums_by_blocks(const PairFunctor<O, T>& functor, std::size_t pairs, Fault& fault) {
  const auto folded = [](std::vector<PairSums>& lanes) {
    for (unsigned stride = sum_lanes / 2; stride > 0; stride /= 2)
      for (unsigned lane = 0; lane < sum_lanes; ++lane) fold(lanes.data(), lane, stride);
    return lanes[0];
  };
  std::vector<PairSums> blocks, lanes(sum_lanes);
  for (std::size_t first = 0; first < pairs; first += sum_lanes) {
    for (unsigned lane = 0; lane < sum_lanes; ++lane) {
      lanes[lane] = PairSums{};
      if (first + lane >= pairs) continue;
      const CheckedSums one = checked_pair(functor, first + lane);
      lanes[lane] = one.sums;
      fault = std::min(fault, one.fault);
    }
    blocks.push_back(folded(lanes));
  }
  for (unsigned lane = 0; lane < sum_lanes; ++lane)
    lanes[lane] = lane_sum(blocks.data(), blocks.size(), lane);
  return folded(lanes);
}

template <class T, class O>
void check_golden(const O& objective, const Pair<double>& p, const nlohmann::json& expected,
                  double tolerance) {
  constexpr std::size_t pairs = 19;  // two vectors and a rest
  const ArraysOfPairs<T> in(std::vector<Pair<double>>(pairs, p));
  ResultArrays<T> out(O::needs, pairs);
  const PairFunctor<O, T> functor{objective, in.pointers(O::needs), out.pointers()};
  for (std::size_t i = 0; i < pairs; ++i) functor(i);
  double worst = 0;
  for (std::size_t i = 0; i < pairs; ++i) {
    worst = std::max(worst, relative_error(out.loss[i], expected.at("loss").get<double>(), 1));
    for (unsigned r = 0; r < role_count; ++r) {
      const T value = out.gradients[r].empty() ? T(0) : out.gradients[r][i];
      worst = std::max(worst, relative_error(value, expected.at("gradient")[r].get<double>(), 1));
      if (!expected.contains("by_statistic") || out.by_statistic[r].empty()) continue;
      worst = std::max(
          worst, relative_error(out.by_statistic[r][i], expected.at("by_statistic")[r].get<double>(), 1));
    }
  }
  CHECK(worst <= tolerance);
}

template <class T>
PairBatch<std::vector<T>> batch_of(const ArraysOfPairs<T>& a) {
  const auto role = [&](unsigned r) {
    const auto& y = a.roles[r];
    return ResponseBatch<std::vector<T>>{y.logp, y.ref_logp, y.length, y.statistic, y.ref_statistic};
  };
  return {role(0), role(1), role(2), role(3), role(4), a.score_chosen, a.score_rejected, a.label};
}

// Relative to the largest of `expected`; 1 where one of them is empty and the other is not.
template <class T>
double largest_difference(const std::vector<T>& values, const std::vector<T>& expected) {
  if (values.size() != expected.size()) return 1;
  double worst = 0, largest = 1e-30;
  for (std::size_t i = 0; i < values.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(values[i]) - static_cast<double>(expected[i])));
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  return worst / largest;
}

template <class T, class O>
void check_against_batch_loss(const O& objective) {
  const std::size_t pairs = 2 * sum_lanes + 44;
  ArraysOfPairs<T> in(random_pairs(pairs));
  const auto expected = batch_loss(objective, batch_of(in), pairs + 3);
  double length = 0;
  for (const T n : in.roles[0].length) length += static_cast<double>(n);
  in.mean_length = static_cast<T>(length / static_cast<double>(pairs));
  ResultArrays<T> out(O::needs, pairs);
  const T share = T(1) / static_cast<T>(pairs + 3);
  Fault fault = no_fault;
  const PairSums sums = sums_by_blocks(
      PairFunctor<O, T>{objective, in.pointers(O::needs), out.pointers(), share}, pairs, fault);
  CHECK(fault == no_fault);
  // The compiler may join a product and a sum in one loop and not in the other.
  const double tolerance = std::is_same_v<T, float> ? 2e-5 : 1e-12;
  const std::vector<T>* const gradients[] = {&expected.chosen, &expected.rejected, &expected.chosen_long,
                                             &expected.rejected_long, &expected.third};
  for (unsigned r = 0; r < role_count; ++r) {
    CHECK(largest_difference(out.gradients[r], *gradients[r]) <= tolerance);
    CHECK(largest_difference(out.by_statistic[r], expected.by_statistic[r]) <= tolerance);
  }
  CHECK(relative_error(sums.loss / static_cast<double>(pairs + 3), static_cast<double>(expected.loss), 1) <=
        (std::is_same_v<T, float> ? 1e-6 : 1e-12));
  std::vector<std::pair<std::string, double>> metrics, expected_metrics;
  const auto keep = [](auto& to) {
    return [&to](const char* name, double value) { to.emplace_back(name, value); };
  };
  BatchMetrics::of(sums).for_each(keep(metrics));
  expected.metrics.for_each(keep(expected_metrics));
  REQUIRE(metrics.size() == expected_metrics.size());
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    CHECK(metrics[i].first == expected_metrics[i].first);
    CHECK(relative_error(metrics[i].second, expected_metrics[i].second, 1) <=
          (std::is_same_v<T, float> ? 1e-6 : 1e-11));
  }
}

}  // namespace

TEST_CASE("The functor gives every objective's golden values, in float and double") {
  const nlohmann::json golden = read_golden("objectives.json");
  std::size_t cases = 0;
  each_elementwise_objective([&](const std::string& name, auto make) {
    for (const nlohmann::json& c : golden.at("cases")) {
      const ObjectiveOptions options = golden_options(c.at("options"));
      const auto scope = options.find("scope");
      const bool both = scope != options.end() && *scope->second.name() == "both";
      if (c.at("objective").get<std::string>() + (both ? ", both" : "") != name) continue;
      ++cases;
      INFO(name << " " << c.dump());
      const Pair<double> p = golden_pair(golden.at("pairs").at(c.at("pair").get<std::size_t>()));
      check_golden<double>(make(options), p, c, 1e-12);
      check_golden<float>(make(options), p, c, 2e-5);
    }
  });
  CHECK(cases == golden.at("cases").size());
}

TEST_CASE("A batch in blocks of lanes gives what batch_loss() gives, for every objective") {
  each_elementwise_objective([](const std::string& name, auto make) {
    INFO(name);
    check_against_batch_loss<float>(make(ObjectiveOptions{}));
    check_against_batch_loss<double>(make(ObjectiveOptions{}));
  });
}

TEST_CASE("The first bad pair is noted with its argument, gets no derivative and counts nowhere") {
  ArraysOfPairs<float> in(random_pairs(300));
  in.roles[1].ref_logp[250] = std::numeric_limits<float>::infinity();
  in.roles[0].length[131] = 0.5f;
  in.roles[1].logp[131] = std::numeric_limits<float>::quiet_NaN();
  ResultArrays<float> out(DPO::needs, 300);
  Fault fault = no_fault;
  const PairSums sums =
      sums_by_blocks(PairFunctor<DPO, float>{DPO{}, in.pointers(DPO::needs), out.pointers()}, 300, fault);
  CHECK(std::string(error_of(fault).what()) ==
        "chosen.length[131]: an empty response; it must have at least one token");
  CHECK(out.gradients[0][131] == 0.0f);
  CHECK(out.loss[250] == 0.0f);
  CHECK(out.gradients[0][130] != 0.0f);
  CHECK(BatchMetrics::of(sums).pairs == 298);
  CHECK(std::string(
            error_of(fault_of<DPO::needs>(gathered<DPO::needs>(in.pointers(DPO::needs), 250), 250)).what())
            .starts_with("rejected.ref_logp[250]: is not finite"));
}
