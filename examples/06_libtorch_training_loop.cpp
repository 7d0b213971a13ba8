// An ordinary libtorch training loop: a small language model, its optimiser, and a preference loss that takes
// the place of whatever stood there in one line.
#include <cstdio>
#include <solopo/backends/torch.hpp>
#include <solopo/objectives/simpo.hpp>

#include <torch/torch.h>

namespace {

constexpr std::int64_t vocab = 12, width = 16;

struct LanguageModelImpl : torch::nn::Module {
  torch::nn::Embedding embedding{nullptr};
  torch::nn::Linear head{nullptr};
  LanguageModelImpl()
      : embedding(register_module("embedding", torch::nn::Embedding(vocab, width))),
        head(register_module("head", torch::nn::Linear(width, vocab))) {}

  // Log-probability of each token given the one before: tokens (B, T + 1) -> (B, T).
  torch::Tensor token_logps(const torch::Tensor& tokens) {
    const auto inputs = tokens.slice(1, 0, -1), targets = tokens.slice(1, 1);
    return torch::log_softmax(head(embedding(inputs)), -1).gather(2, targets.unsqueeze(-1)).squeeze(-1);
  }
};
TORCH_MODULE(LanguageModel);

}  // namespace

int main() {
  torch::manual_seed(7);
  torch::set_num_threads(1);
  // Prompts of two tokens; liked responses count upwards, the others repeat a token.
  const auto prompts = torch::randint(0, 6, {32, 2}), first = torch::randint(6, 9, {32, 1});
  const auto chosen = torch::cat({prompts, first, first + 1, first + 2}, 1);
  const auto rejected = torch::cat({prompts, first, first, first}, 1);
  const auto mask = torch::cat({torch::zeros({32, 1}), torch::ones({32, 3})}, 1);  // of predicted tokens

  LanguageModel model;
  torch::optim::Adam optimizer(model->parameters(), torch::optim::AdamOptions(0.02));
  solopo::BatchMetrics metrics;
  for (int step = 0; step <= 100; ++step) {
    optimizer.zero_grad();
    // [snippet: torch]
    const auto w = solopo::torch_responses(model->token_logps(chosen), mask);    // sums and counts, (32)
    const auto l = solopo::torch_responses(model->token_logps(rejected), mask);  // of the response's tokens
    const solopo::SimPO objective{.beta = 2.0f, .gamma = 0.5f};
    const torch::Tensor loss =
        solopo::preference_loss(objective, {.chosen = w, .rejected = l}, {.metrics = &metrics});
    loss.backward();
    // [end]
    optimizer.step();
    if (step % 50 == 0)
      std::printf("step %3d: loss %.4f, accuracy %.2f\n", step, loss.item<double>(),
                  metrics.rewards_accuracies);
  }
}
