// A matrix class of one's own, made known to solopo in two small specialisations: batches of
// log-probabilities and the language-model head then work on it where it lies.
#include <cstdio>
#include <solopo/backends/lm_head.hpp>
#include <solopo/solopo.hpp>
#include <vector>

// [snippet: adapt]
// Somebody's tensors.
struct Column {
  std::vector<float> numbers;
};
struct Table {
  int height = 0, width = 0;
  std::vector<float> cells;  // row after row
};

template <>
struct solopo::Backend<Column> {
  using value_type = float;
  using owning_type = Column;
  static std::size_t size(const Column& v) { return v.numbers.size(); }
  static float get(const Column& v, std::size_t i) { return v.numbers[i]; }
  static Column zeros(std::size_t n) { return {std::vector<float>(n)}; }
  static void set(Column& v, std::size_t i, float x) { v.numbers[i] = x; }
};

template <>
struct solopo::MatrixBackend<Table> {
  using value_type = float;
  static MatrixView<const float> view(const Table& m) { return dense(m.cells.data(), m.height, m.width); }
  static MatrixView<float> view(Table& m) { return dense(m.cells.data(), m.height, m.width); }
};
// [end]

int main() {
  // [snippet: use]
  const Table hidden{4, 2, {1, 0, 0, 1, 1, 1, -1, 0}};      // (S, C): a model's last hidden states
  const Table head{3, 2, {2, 0, 0, 2, -1, -1}};             // (V, C)
  const std::vector<solopo::HeadTarget> targets{            // row, token, response
                                                {0, 0, 0},  // the chosen response: tokens 0 and 1
                                                {1, 1, 0},
                                                {2, 2, 1},  // the rejected one: tokens 2 and 0
                                                {3, 0, 1}};
  const auto forward = solopo::head_logps(hidden, head, targets, 2);

  const solopo::PairBatch<Column> batch{.chosen = {.logp = {{forward.logps[0]}}, .length = {{2}}},
                                        .rejected = {.logp = {{forward.logps[1]}}, .length = {{2}}}};
  const solopo::BatchLoss<Column> loss = solopo::batch_loss(solopo::SimPO{.beta = 2, .gamma = 0.5f}, batch);

  const std::vector<float> dlogps{loss.chosen.numbers[0], loss.rejected.numbers[0]};
  Table dhidden{4, 2, std::vector<float>(8)}, dhead{3, 2, std::vector<float>(6)};
  solopo::head_logps_backward(hidden, head, targets, forward, dlogps, dhidden, dhead);
  // [end]
  std::printf("logps %.4f %.4f, loss %.4f\n", static_cast<double>(forward.logps[0]),
              static_cast<double>(forward.logps[1]), static_cast<double>(loss.loss));
  for (int r = 0; r < 4; ++r)
    std::printf("dhidden %+.5f %+.5f\n", static_cast<double>(dhidden.cells[static_cast<std::size_t>(2 * r)]),
                static_cast<double>(dhidden.cells[static_cast<std::size_t>(2 * r + 1)]));
}
