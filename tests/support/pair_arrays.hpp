// Pairs as struct of arrays, with pointers to what an objective needs and null to the rest.
#pragma once

#include <vector>

#include "solopo/backends/pair_functor.hpp"

namespace rule_checks {

template <class T>
struct ArraysOfPairs {
  struct Role {
    std::vector<T> logp, ref_logp, length, statistic, ref_statistic;
  };
  Role roles[solopo::role_count];
  std::vector<T> score_chosen, score_rejected, label;
  T mean_length{};

  explicit ArraysOfPairs(const std::vector<solopo::Pair<double>>& pairs) {
    for (const solopo::Pair<double>& wide : pairs) {
      const solopo::Pair<T> p = solopo::converted<T>(wide);
      for (unsigned r = 0; r < solopo::role_count; ++r) {
        const solopo::Response<T>& y = p.*solopo::role_of_pair<T>[r];
        roles[r].logp.push_back(y.logp);
        roles[r].ref_logp.push_back(y.ref_logp);
        roles[r].length.push_back(y.length);
        roles[r].statistic.push_back(y.statistic);
        roles[r].ref_statistic.push_back(y.ref_statistic);
      }
      score_chosen.push_back(p.score_chosen);
      score_rejected.push_back(p.score_rejected);
      label.push_back(p.label);
      mean_length = p.mean_length;
    }
  }

  [[nodiscard]] solopo::PairArrays<T> pointers(solopo::Needs needs) const {
    using namespace solopo;
    const auto role = [&](unsigned r) {
      const Role& y = roles[r];
      const Needs response = response_roles[r].response, reference = response_roles[r].reference;
      const auto asked = [&](Needs bits, const std::vector<T>& v) {
        return has(needs, bits) ? v.data() : nullptr;
      };
      return ResponseArrays<T>{asked(response, y.logp), asked(reference, y.ref_logp),
                               asked(response, y.length), asked(response | Needs::statistic, y.statistic),
                               asked(reference | Needs::ref_statistic, y.ref_statistic)};
    };
    const bool scores = has(needs, Needs::scores);
    return {role(0),
            role(1),
            role(2),
            role(3),
            role(4),
            scores ? score_chosen.data() : nullptr,
            scores ? score_rejected.data() : nullptr,
            has(needs, Needs::label) ? label.data() : nullptr,
            has(needs, Needs::mean_length) ? &mean_length : nullptr};
  }
};

// Room for results, of which an objective gets what it needs.
template <class T>
struct ResultArrays {
  std::vector<T> loss, gradients[solopo::role_count], by_statistic[solopo::role_count];

  ResultArrays(solopo::Needs needs, std::size_t pairs) : loss(pairs) {
    for (unsigned r = 0; r < solopo::role_count; ++r) {
      const solopo::Needs response = solopo::response_roles[r].response;
      if (has(needs, response)) gradients[r].resize(pairs);
      if (has(needs, response | solopo::Needs::statistic)) by_statistic[r].resize(pairs);
    }
  }
  [[nodiscard]] solopo::PairLossArrays<T> pointers() {
    solopo::PairLossArrays<T> out{loss.data(),         gradients[0].data(), gradients[1].data(),
                                  gradients[2].data(), gradients[3].data(), gradients[4].data()};
    for (unsigned r = 0; r < solopo::role_count; ++r) out.by_statistic[r] = by_statistic[r].data();
    return out;
  }
};

}  // namespace rule_checks
