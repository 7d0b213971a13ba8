// Against libtorch's own autograd of the plain formulas, and against the other backends.
#include "solopo/backends/torch.hpp"

#include <torch/torch.h>
#undef CHECK  // c10's logging macro; Catch's comes next

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "solopo/backends/eigen.hpp"
#include "solopo/backends/torch_lm_head.hpp"
#include "solopo/core/random.hpp"
#include "solopo/objectives/bco.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/ipo.hpp"
#include "solopo/objectives/kto.hpp"
#include "solopo/objectives/orpo.hpp"
#include "solopo/objectives/simpo.hpp"
#include "solopo/objectives/solopo.hpp"

using namespace solopo;
using at::Tensor;
using Catch::Matchers::Contains;

namespace {

constexpr std::int64_t pairs_in_batch = 7;

Tensor random_tensor(std::uint64_t seed, double least, double greatest, at::ScalarType type,
                     bool whole = false) {
  Tensor out = at::empty({pairs_in_batch}, at::kDouble);
  RandomStream draw(seed, "torch");
  for (std::int64_t i = 0; i < pairs_in_batch; ++i) {
    const double x = least + (greatest - least) * draw.uniform();
    out[i] = whole ? std::floor(x) : x;
  }
  return out.to(type);
}

TorchPairs random_batch(at::ScalarType type) {
  TorchPairs out;
  std::uint64_t seed = 1;
  for (const auto role : torch_detail::roles) {
    TorchResponses& y = out.*role;
    y.logp = random_tensor(seed++, -30, -2, type).requires_grad_();
    y.ref_logp = random_tensor(seed++, -30, -2, type);
    y.length = random_tensor(seed++, 2, 20, type, true);
  }
  out.label = at::arange(pairs_in_batch) % 2;
  return out;
}

Tensor log_ratio(const TorchResponses& y) { return y.logp - y.ref_logp; }
Tensor mean(const TorchResponses& y) { return y.logp / y.length; }
Tensor log_odds(const TorchResponses& y) { return mean(y) - at::log1p(-at::exp(mean(y))); }

// The formulas, in torch's operations.
Tensor plain_dpo(const TorchPairs& p, double beta) {
  return -at::log_sigmoid(beta * (log_ratio(p.chosen) - log_ratio(p.rejected)));
}
Tensor plain_kto(const TorchPairs& p, double beta) {
  const Tensor z = log_ratio(p.third).mean().clamp_min(0).detach(), x = log_ratio(p.chosen);
  return at::where(p.label > 0, 1 - at::sigmoid(beta * (x - z)), 1 - at::sigmoid(beta * (z - x)));
}

// Ours against theirs: loss and the gradient of every role, after scaling the loss so that the chain rule is
// used.
template <class O, class Formula>
void check_formula(const O& objective, Formula&& formula) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const double tolerance = type == at::kDouble ? 1e-10 : 2e-5;
    TorchPairs ours = random_batch(type), theirs = random_batch(type);
    const Tensor loss = preference_loss(objective, ours), expected = formula(theirs).mean();
    CHECK(loss.dim() == 0);
    CHECK(loss.scalar_type() == type);
    CHECK(loss.item<double>() == Approx(expected.item<double>()).epsilon(tolerance));
    (loss * 3).backward();
    (expected * 3).backward();
    for (const auto role : torch_detail::roles) {
      const Tensor a = (ours.*role).logp.grad(), b = (theirs.*role).logp.grad();
      if (!b.defined() || b.abs().max().item<double>() == 0) {
        CHECK((!a.defined() || a.abs().max().item<double>() == 0));
        continue;
      }
      REQUIRE(a.defined());
      CHECK((a - b).abs().max().item<double>() <= tolerance * std::max(1.0, b.abs().max().item<double>()));
      CHECK((a + b).abs().max().item<double>() > 1e-4);  // a wrong sign would show
    }
    CHECK_FALSE(ours.chosen.ref_logp.grad().defined());
  }
}

}  // namespace

TEST_CASE("Losses and gradients equal libtorch's autograd of the plain formulas") {
  check_formula(DPO{.beta = 0.25f}, [](const TorchPairs& p) { return plain_dpo(p, 0.25); });
  check_formula(SimPO{.beta = 2.0f, .gamma = 0.5f}, [](const TorchPairs& p) {
    return -at::log_sigmoid(2.0 * (mean(p.chosen) - mean(p.rejected)) - 0.5);
  });
  check_formula(ORPO{.lambda = 0.25f}, [](const TorchPairs& p) {
    return -mean(p.chosen) - 0.25 * at::log_sigmoid(log_odds(p.chosen) - log_odds(p.rejected));
  });
  check_formula(IPO{.beta = 0.5f}, [](const TorchPairs& p) {
    return (log_ratio(p.chosen) / p.chosen.length - log_ratio(p.rejected) / p.rejected.length - 1.0).square();
  });
  check_formula(SoLoPO<DPO>{.base = {.beta = 0.25f}, .alpha = 3.0f}, [](const TorchPairs& p) {
    return plain_dpo(p, 0.25) + 3 * (0.25 * (log_ratio(p.chosen) - log_ratio(p.chosen_long))).abs();
  });
  check_formula(KTO{.beta = 0.25f}, [](const TorchPairs& p) { return plain_kto(p, 0.25); });
}

TEST_CASE("Tensors, spans and Eigen give the same bits") {
  const TorchPairs pairs = random_batch(at::kDouble);
  PairBatch<std::vector<double>> vectors;
  PairBatch<Eigen::VectorXd> eigen;
  for (unsigned r = 0; r < role_count; ++r) {
    const TorchResponses& y = pairs.*torch_detail::roles[r];
    const auto copied = [&](const Tensor& t) {
      return std::vector<double>(t.data_ptr<double>(), t.data_ptr<double>() + t.numel());
    };
    const auto mapped = [&](const Tensor& t) {
      return Eigen::VectorXd(Eigen::Map<const Eigen::VectorXd>(t.data_ptr<double>(), t.numel()));
    };
    vectors.*batch_detail::role_of_batch<std::vector<double>>[r] = {copied(y.logp), copied(y.ref_logp),
                                                                    copied(y.length)};
    eigen.*batch_detail::role_of_batch<Eigen::VectorXd>[r] = {mapped(y.logp), mapped(y.ref_logp),
                                                              mapped(y.length)};
  }
  const SoLoPO<DPO> objective{.alpha = 3.0f};
  BatchMetrics metrics;
  const Tensor loss = preference_loss(objective, pairs, {.state = {}, .count = 20, .metrics = &metrics});
  loss.backward();
  const auto a = batch_loss(objective, vectors, 20);
  const auto b = batch_loss(objective, eigen, 20);
  CHECK(loss.item<double>() == a.loss);
  CHECK(a.loss == b.loss);
  CHECK(metrics.solo_ra_gap == a.metrics.solo_ra_gap);
  for (std::int64_t i = 0; i < pairs_in_batch; ++i) {
    CHECK(pairs.chosen.logp.grad()[i].item<double>() == a.chosen[static_cast<std::size_t>(i)]);
    CHECK(pairs.chosen_long.logp.grad()[i].item<double>() == b.chosen_long[i]);
  }
}

TEST_CASE("Log-probabilities of tokens with a mask are the sums, and gradients flow through") {
  const Tensor tokens = -at::rand({4, 6}, at::kDouble).requires_grad_();
  const Tensor leaf = tokens.detach().clone().requires_grad_();
  const Tensor mask =
      at::tensor({0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0}).reshape({4, 6});
  const auto rows = [](const TorchResponses& y, std::int64_t first) {
    return TorchResponses{y.logp.slice(0, first, first + 2), {}, y.length.slice(0, first, first + 2)};
  };
  const TorchResponses y = torch_responses(leaf, mask);
  CHECK(y.length.equal(at::tensor({3.0, 4.0, 1.0, 2.0}, at::kDouble)));
  preference_loss(SimPO{}, {.chosen = rows(y, 0), .rejected = rows(y, 2)}).backward();
  TorchPairs summed{.chosen = {(leaf * mask).sum(-1).slice(0, 0, 2).detach().clone().requires_grad_(),
                               {},
                               y.length.slice(0, 0, 2)},
                    .rejected = {(leaf * mask).sum(-1).slice(0, 2, 4).detach().clone().requires_grad_(),
                                 {},
                                 y.length.slice(0, 2, 4)}};
  preference_loss(SimPO{}, summed).backward();
  const Tensor expected =
      at::cat({summed.chosen.logp.grad(), summed.rejected.logp.grad()}).unsqueeze(-1) * mask;
  CHECK(leaf.grad().equal(expected));
  CHECK_THROWS_WITH(torch_responses(leaf, mask.slice(1, 0, 3)), Contains("mask"));
  CHECK_THROWS_WITH(torch_responses(Tensor(), mask), Contains("token_logps: is undefined"));
  // What stands at masked places, a padded token's minus infinity say, is not looked at.
  const Tensor padded = tokens.detach().masked_fill(mask.eq(0), -std::numeric_limits<double>::infinity());
  CHECK(torch_responses(padded, mask).logp.equal(y.logp.detach()));
}

TEST_CASE("The head over tensors equals torch's log_softmax, loss and both gradients") {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const double tolerance = type == at::kDouble ? 1e-11 : 1e-4;
    ::torch::manual_seed(1);
    const Tensor hidden = at::randn({70, 9}, type).requires_grad_(),
                 head = at::randn({23, 9}, type).requires_grad_();
    const Tensor h = hidden.detach().clone().requires_grad_(), w = head.detach().clone().requires_grad_();
    std::vector<HeadTarget> targets;
    std::vector<std::int64_t> row, token, response;
    for (std::int32_t i = 0; i < 66; ++i) {
      targets.push_back({i + 2, (7 * i) % 23, i % 3});
      row.push_back(i + 2);
      token.push_back((7 * i) % 23);
      response.push_back(i % 3);
    }
    const Tensor logps = torch_head_logps(hidden, head, targets, 3);
    const Tensor all = at::log_softmax(h.index_select(0, at::tensor(row)).matmul(w.t()), -1);
    const Tensor picked = all.gather(1, at::tensor(token).unsqueeze(-1)).squeeze(-1);
    const Tensor expected = at::zeros({3}, type).index_add(0, at::tensor(response), picked);
    CHECK((logps - expected).abs().max().item<double>() <= tolerance * expected.abs().max().item<double>());
    const Tensor weights = at::tensor({0.3, -1.2, 0.7}, type);
    (logps * weights).sum().backward();
    (expected * weights).sum().backward();
    CHECK((hidden.grad() - h.grad()).abs().max().item<double>() <= tolerance);
    CHECK((head.grad() - w.grad()).abs().max().item<double>() <= tolerance);
    CHECK((head.grad() + w.grad()).abs().max().item<double>() > 0.1);
  }
}

TEST_CASE("The head sums a long response in double") {
  const Tensor hidden = at::zeros({1, 1}), head = at::zeros({3, 1});
  const std::vector<HeadTarget> targets(20000, HeadTarget{0, 1, 0});
  const double exact = 20000.0 * static_cast<double>(-std::log(3.0f));
  CHECK(torch_head_logps(hidden, head, targets, 1)[0].item<double>() == Approx(exact).epsilon(1e-7));
}

TEST_CASE("An objective that carries a state reads and advances it over tensors") {
  const TorchPairs pairs = random_batch(at::kDouble);
  const BCO objective{.beta = 0.25f};
  const auto state = next_state(objective, pairs, initial_state(objective));
  CHECK(state.count == pairs_in_batch);
  const Tensor fresh = preference_loss(objective, pairs);
  const Tensor advanced = preference_loss(objective, pairs, {.state = state});
  CHECK(fresh.item<double>() != advanced.item<double>());
}

TEST_CASE("Second derivatives are refused instead of left out") {
  const TorchPairs pairs = random_batch(at::kDouble);
  const Tensor loss = preference_loss(DPO{}, pairs);
  CHECK_THROWS_WITH(::torch::autograd::grad({loss}, {pairs.chosen.logp}, {}, true, true),
                    Contains("create_graph"));
}

TEST_CASE("Tensors that an objective does not need are not looked at") {
  TorchPairs pairs = random_batch(at::kDouble);
  pairs.chosen.ref_logp = at::zeros({3}, at::kLong);
  pairs.chosen_long.logp = Tensor();
  CHECK_NOTHROW(preference_loss(SimPO{}, pairs));
}

TEST_CASE("Tensors that do not fit are refused by name") {
  const auto refuse = [](const TorchPairs& p, const char* message) {
    CHECK_THROWS_WITH(preference_loss(DPO{}, p), Contains(message));
  };
  TorchPairs p = random_batch(at::kDouble);
  p.chosen.logp = Tensor();
  refuse(p, "chosen.logp: is undefined; the objective needs it");
  p = random_batch(at::kDouble);
  p.rejected.ref_logp = Tensor();
  refuse(p, "rejected.ref_logp: has 0 entries where the batch has 7 pairs; the objective needs it");
  p = random_batch(at::kDouble);
  p.rejected.logp = p.rejected.logp.to(at::kFloat);
  refuse(p, "rejected.logp: is Float, expected Double");
  p = random_batch(at::kDouble);
  p.chosen.logp = at::zeros({7}, at::kLong);
  refuse(p, "chosen.logp: is Long, expected Float or Double");
  p = random_batch(at::kDouble);
  p.chosen.logp = at::zeros({7, 2}, at::kDouble);
  refuse(p, "chosen.logp: has shape (7, 2), expected 1 dimension");
  p.chosen.logp = at::zeros({7}, at::kDouble).to_sparse();
  refuse(p, "chosen.logp: is not dense; call .to_dense()");
  p.chosen.logp = at::zeros({14}, at::kDouble).slice(0, 0, 14, 2);
  refuse(p, "chosen.logp: is not contiguous; call .contiguous()");
  p.chosen.logp = at::empty({7}, at::device(at::kMeta).dtype(at::kDouble));
  refuse(p, "chosen.logp: is on meta; this function reads tensors on the CPU and makes no hidden copy");
  p = random_batch(at::kDouble);
  p.chosen.length = at::zeros({7}, at::kLong);
  refuse(p, "chosen.length[0]: an empty response");
  CHECK_THROWS_WITH(torch_head_logps(at::zeros({3}), at::zeros({2, 3}), {{0, 0, 0}}, 1),
                    Contains("hidden: has shape (3), expected 2 dimensions"));
  CHECK_THROWS_WITH(torch_head_logps(at::zeros({3, 4}), at::zeros({2, 3}), {{0, 0, 0}}, 1),
                    Contains("head: has shape (2, 3), expected (vocabulary, 4)"));
}
