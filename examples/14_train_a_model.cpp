// SoLoPO on a model of your own, on the CPU: load a Hugging Face folder or a GGUF file, train it on a pair of
// answers under a short and a long prompt, and save it as a folder that transformers opens. For whole files
// of records there is solopo::Trainer (train/trainer.hpp), which the program `solopo train` is made of.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <solopo/model/language_model.hpp>
#include <solopo/model/llama.hpp>
#include <solopo/solopo.hpp>
#include <solopo/train/optimizer.hpp>
#include <span>
#include <string>
#include <vector>

using Ids = std::vector<std::int32_t>;

static Ids prompt_of(const solopo::LanguageModel& model, const std::string& text) {
  const solopo::text::Message user{.role = "user", .content = text};
  return solopo::text::encode_chat(model.tokenizer, model.chat, {&user, 1}, true);
}

static Ids response_of(const solopo::LanguageModel& model, const std::string& text) {
  Ids ids = model.tokenizer.encode(text);
  ids.push_back(solopo::text::end_of_turn(model.tokenizer, model.chat));
  return ids;
}

static void train(const std::string& from, const std::string& to) {
  // [snippet: train a model]
  solopo::LanguageModel language_model = solopo::load_model(from);
  const std::string evidence = "117amber fox not also\n",
                    more = "204calm otter also since\n131huge lamp not also\n";
  const Ids prompt = prompt_of(language_model, evidence + "\n117"),
            long_prompt = prompt_of(language_model, more + evidence + "\n117"),
            chosen = response_of(language_model, "amber fox"),
            rejected = response_of(language_model, "huge lamp");
  solopo::PackedSequences batch;
  const std::span<const std::int32_t> pair[] = {chosen, rejected};
  batch.append_shared(prompt, pair);  // responses 0 and 1: one copy of the prompt
  batch.append(long_prompt, chosen);  // response 2

  const solopo::SoLoPO<solopo::SimPO> objective{.alpha = 1.0f, .stop_short_gradient = true};
  solopo::LlamaWeights<float>& weights = language_model.weights;
  solopo::Llama<float> model(weights);
  solopo::AdamW optimizer(weights.layout.slots(), weights.data.size());
  std::vector<float> gradients(weights.data.size());
  const auto length = [](const Ids& ids) { return static_cast<float>(ids.size()); };
  for (int step = 0; step < 5; ++step) {
    std::fill(gradients.begin(), gradients.end(), 0.0f);
    const std::vector<float> logps = model.forward(batch);  // one number a response
    const auto loss =
        objective(solopo::Pair<float>{.chosen = {.logp = logps[0], .length = length(chosen)},
                                      .rejected = {.logp = logps[1], .length = length(rejected)},
                                      .chosen_long = {.logp = logps[2], .length = length(chosen)}});
    model.backward(std::vector{loss.chosen, loss.rejected, loss.chosen_long}, gradients);
    optimizer.step(weights.data, gradients, 1e-4, solopo::clip_scale(solopo::global_norm(gradients), 1.0));
    std::printf("step %d: loss %.4f, log-probability of the answer under the long prompt %.3f\n", step + 1,
                static_cast<double>(loss.loss), static_cast<double>(logps[2]));
  }
  solopo::save_model(to, language_model);
  // [end]
  std::printf("the trained model is in %s\n", to.c_str());
}

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr,
                 "usage: example_14_train_a_model MODEL OUT, for example examples/data/tiny trained\n");
    return 2;
  }
  try {
    train(argv[1], argv[2]);
  } catch (const solopo::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
