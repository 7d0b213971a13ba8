// SoLoPO on one GPU: the decoder, its gradients and AdamW there, the objective's few numbers on the host. A
// small random model, so that the loop is all there is to see.
#include <cstdio>
#include <solopo/cuda/llama.hpp>
#include <solopo/cuda/queue.cuh>
#include <solopo/solopo.hpp>
#include <vector>

using Ids = std::vector<std::int32_t>;

static solopo::LlamaWeights<float> small_model() {
  solopo::LlamaWeights<float> weights({.vocab_size = 64,
                                       .hidden_size = 64,
                                       .intermediate_size = 128,
                                       .num_hidden_layers = 2,
                                       .num_attention_heads = 2,
                                       .num_key_value_heads = 1,
                                       .head_dim = 64,
                                       .max_position_embeddings = 512});
  solopo::RandomStream random(1, "weights");
  for (const solopo::TensorSlot& slot : weights.layout.slots())
    for (float& w : weights.tensor(slot.name))
      w = slot.shape.size() == 1 ? 1.0f : static_cast<float>(0.1 * random.normal());
  return weights;
}

static void train() {
  const Ids prompt = {1, 2, 3}, long_prompt = {9, 9, 9, 9, 1, 2, 3, 9, 9}, chosen = {4, 5, 6},
            rejected = {7, 8};
  solopo::PackedSequences batch;
  const std::span<const std::int32_t> pair[] = {chosen, rejected};
  batch.append_shared(prompt, pair);  // responses 0 and 1: one copy of the prompt
  batch.append(long_prompt, chosen);  // response 2
  const solopo::SoLoPO<solopo::SimPO> objective{.alpha = 1.0f};
  const solopo::LlamaWeights<float> llama_weights = small_model();

  // [snippet: train on a gpu]
  using T = solopo::BFloat16;  // what activations are stored in; float is the other choice
  using Queue = solopo::cuda::CudaQueue;
  Queue queue;  // Queue(stream, false): faster at length, and two runs may differ in the last bits
  solopo::cuda::DeviceWeights<T, Queue> weights(queue, llama_weights);
  solopo::cuda::DeviceLlama<T, Queue> model(queue, weights);
  solopo::cuda::DeviceAdamW<T, Queue> optimizer(queue, weights);
  for (int step = 0; step < 5; ++step) {
    optimizer.zero_gradients();
    const std::vector<float> logps = model.forward(batch);  // one number a response
    const auto loss = objective(solopo::Pair<float>{.chosen = {.logp = logps[0], .length = 3},
                                                    .rejected = {.logp = logps[1], .length = 2},
                                                    .chosen_long = {.logp = logps[2], .length = 3}});
    model.backward(std::vector{loss.chosen, loss.rejected, loss.chosen_long}, optimizer.gradients());
    const double norm = optimizer.gradient_norm();
    optimizer.step(1e-3, norm > 1 ? static_cast<float>(1 / norm) : 1.0f);
    std::printf("step %d: loss %.4f\n", step + 1, static_cast<double>(loss.loss));
  }
  // [end]
}

int main() {
  if (solopo::cuda::device_count() == 0) {
    std::fprintf(stderr, "there is no CUDA device on this machine\n");
    return 1;
  }
  try {
    train();
  } catch (const solopo::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
