// A training loop in the style of llm.c: plain arrays, a forward that leaves one loss a token, a backward
// that takes one coefficient a token. Preference optimisation needs two passes through such a loop: the first
// one for the log-probabilities of whole responses, the second with what the objective makes of them. Nothing
// else of the loop changes. The model here is a table of logits, small enough to be read.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <solopo/solopo.hpp>

enum { B = 4, T = 6, V = 8 };  // rows: chosen and rejected of two pairs; tokens a row; vocabulary

struct Model {
  float logits[V][V];  // (previous token, next token)
  float dlogits[V][V];
  float probs[B][T][V];
};

// losses[b][t] = -log p(targets[b][t] | inputs[b][t])
static void model_forward(Model* m, const int inputs[B][T], const int targets[B][T], float losses[B][T]) {
  for (int b = 0; b < B; b++) {
    for (int t = 0; t < T; t++) {
      const float* z = m->logits[inputs[b][t]];
      float sum = 0.0f;
      for (int v = 0; v < V; v++) sum += m->probs[b][t][v] = std::exp(z[v]);
      for (int v = 0; v < V; v++) m->probs[b][t][v] /= sum;
      losses[b][t] = -std::log(m->probs[b][t][targets[b][t]]);
    }
  }
}

// Adds the gradient of sum over b, t of dlosses[b][t] * losses[b][t].
static void model_backward(Model* m, const int inputs[B][T], const int targets[B][T],
                           const float dlosses[B][T]) {
  for (int b = 0; b < B; b++) {
    for (int t = 0; t < T; t++) {
      for (int v = 0; v < V; v++) {
        const float onehot = v == targets[b][t] ? 1.0f : 0.0f;
        m->dlogits[inputs[b][t]][v] += dlosses[b][t] * (m->probs[b][t][v] - onehot);
      }
    }
  }
}

// [snippet: c loop]
// From losses of tokens to coefficients of tokens. Rows 2 i and 2 i + 1 are the chosen and the rejected
// response of pair i; mask is 1 where a response token is predicted. ref_logps holds the same rows under the
// reference.
static float preference_coefficients(const float losses[B][T], const int mask[B][T], const float ref_logps[B],
                                     float dlosses[B][T]) {
  const solopo::DPO objective{.beta = 0.5f};
  float mean = 0.0f;
  for (int pair = 0; pair < B / 2; pair++) {
    solopo::Response<float> y[2];
    for (int side = 0; side < 2; side++) {
      const int b = 2 * pair + side;
      y[side].ref_logp = ref_logps[b];
      for (int t = 0; t < T; t++) {
        if (!mask[b][t]) continue;
        y[side].logp -= losses[b][t];
        y[side].length += 1.0f;
      }
    }
    const solopo::PairLoss<float> g = objective(solopo::Pair<float>{.chosen = y[0], .rejected = y[1]});
    mean += g.loss / (B / 2);
    for (int t = 0; t < T;
         t++) {  // dloss/dlogp of a response is that of each of its tokens, and loss = -logp
      dlosses[2 * pair][t] = mask[2 * pair][t] ? -g.chosen / (B / 2) : 0.0f;
      dlosses[2 * pair + 1][t] = mask[2 * pair + 1][t] ? -g.rejected / (B / 2) : 0.0f;
    }
  }
  return mean;
}
// [end]

int main() {
  // A prompt of two tokens, then a response: 4s are liked, 5s are not.
  const int inputs[B][T] = {{1, 2, 4, 4, 4, 0}, {1, 2, 5, 5, 0, 0}, {3, 2, 4, 4, 0, 0}, {3, 2, 5, 5, 5, 0}};
  const int targets[B][T] = {{2, 4, 4, 4, 7, 0}, {2, 5, 5, 7, 0, 0}, {2, 4, 4, 7, 0, 0}, {2, 5, 5, 5, 7, 0}};
  const int mask[B][T] = {{0, 1, 1, 1, 1, 0}, {0, 1, 1, 1, 0, 0}, {0, 1, 1, 1, 0, 0}, {0, 1, 1, 1, 1, 0}};
  static Model model;
  float losses[B][T], dlosses[B][T], ref_logps[B] = {};

  model_forward(&model, inputs, targets, losses);  // before training the model is its own reference
  for (int b = 0; b < B; b++)
    for (int t = 0; t < T; t++) ref_logps[b] -= mask[b][t] ? losses[b][t] : 0.0f;

  for (int step = 0; step <= 40; step++) {
    model_forward(&model, inputs, targets, losses);                                // first pass
    const float loss = preference_coefficients(losses, mask, ref_logps, dlosses);  // the objective
    std::memset(model.dlogits, 0, sizeof model.dlogits);
    model_backward(&model, inputs, targets, dlosses);  // second pass
    for (int u = 0; u < V; u++)
      for (int v = 0; v < V; v++) model.logits[u][v] -= 1.0f * model.dlogits[u][v];
    if (step % 20 == 0) std::printf("step %2d: loss %.4f\n", step, static_cast<double>(loss));
  }
}
