#include <algorithm>
#include <ostream>

#include "data_sample.hpp"
#include "solopo/io/input_file.hpp"
#include "solopo/model/language_model.hpp"

namespace solopo::cli {
namespace {

// SHA-256 over the names and content of a model's files.
std::string model_key(const std::filesystem::path& model) {
  if (!std::filesystem::is_directory(model)) return io::sha256_file(model, io::FileRole::model);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(model)) {
    const auto extension = entry.path().extension();
    if (entry.is_regular_file() && (extension == ".json" || extension == ".safetensors"))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::string all;
  for (const auto& file : files)
    all += file.filename().string() + " " + io::sha256_file(file, io::FileRole::model) + "\n";
  return io::sha256_hex(all);
}

}  // namespace

SampleResult run_data_sample(const SampleOptions& options, std::ostream& log,
                             const std::function<bool()>& stop) {
  require_device(options.where);
  const LanguageModel model = load_model(options.model, options.adapter);
  const text::ChatTemplate chat = options.template_name.empty()
                                      ? model.chat
                                      : text::parse_chat_template(options.template_name, model.tokenizer);
  AnyDecoder decoder = make_decoder(model.weights, options.where);
  const std::int64_t room = model.config.max_position_embeddings - options.max_new_tokens;
  const std::int32_t end = text::end_of_turn(model.tokenizer, chat);

  const AnswerSampler sampler = [&](std::span<const SampleRequest> requests) {
    std::vector<std::vector<SampledAnswer>> answers(requests.size());
    std::vector<std::size_t> asked;  // that fit the context
    std::vector<GenerateOptions> how;
    decoder.clear();
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const std::vector<std::int32_t> ids =
          text::encode_chat(model.tokenizer, chat, requests[i].prompt, true);
      if (static_cast<std::int64_t>(ids.size()) > room) continue;
      decoder.add_prompt(ids);
      asked.push_back(i);
      how.push_back({.max_new_tokens = options.max_new_tokens,
                     .temperature = options.temperature,
                     .samples = options.n,
                     .seed = options.seed,
                     .stream = requests[i].stream,
                     .stop_tokens = {end}});
    }
    if (asked.empty()) return answers;
    const auto generated = decoder.generate_all(how);
    for (std::size_t k = 0; k < asked.size(); ++k) {
      for (const Generated& g : generated[k])
        answers[asked[k]].push_back({.text = model.tokenizer.decode(g.tokens), .finished = g.stopped});
    }
    return answers;
  };
  std::string key = model_key(options.model);
  if (!options.adapter.empty()) key = io::sha256_hex(key + model_key(options.adapter));
  if (options.where.on_cuda() || options.where.is_bf16())
    key = io::sha256_hex(key + " " + options.where.device + " " + options.where.dtype_name());
  return run_data_sample(options, sampler, key, log, stop);
}

}  // namespace solopo::cli
