#include <algorithm>
#include <ostream>

#include "choose_template.hpp"
#include "data_sample.hpp"
#include "prompt_model.hpp"
#include "solopo/io/sha256.hpp"
#include "solopo/model/language_model.hpp"

namespace solopo::cli {
SampleResult run_data_sample(const SampleOptions& options, std::ostream& log,
                             const std::function<bool()>& stop) {
  require_device(options.where);
  const LanguageModel model = load_model(options.model, options.adapter);
  const text::ChatTemplate chat = choose_template(options.template_name, model);
  AnyDecoder decoder = make_decoder(model.weights, options.where);
  const std::int64_t room = model.config.max_position_embeddings - options.max_new_tokens;
  const std::int32_t end = text::end_of_turn(model.tokenizer, chat);

  const AnswerSampler sampler = [&](std::span<const SampleRequest> requests) {
    std::vector<std::vector<SampledAnswer>> answers(requests.size());
    std::vector<std::size_t> asked;  // that fit the context, and have no answers yet
    std::vector<GenerateOptions> how;
    std::size_t tokens = 0;
    const auto answer = [&] {
      if (asked.empty()) return;
      const auto generated = decoder.generate_all(how);
      for (std::size_t k = 0; k < asked.size(); ++k) {
        for (const Generated& g : generated[k])
          answers[asked[k]].push_back({.text = model.tokenizer.decode(g.tokens), .finished = g.stopped});
      }
      decoder.clear();
      asked.clear();
      how.clear();
      tokens = 0;
    };
    decoder.clear();
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const std::vector<std::int32_t> ids =
          text::encode_chat(model.tokenizer, chat, requests[i].prompt, true);
      if (static_cast<std::int64_t>(ids.size()) > room) continue;
      if (tokens + ids.size() > prompt_tokens_together) answer();
      tokens += ids.size();
      decoder.add_prompt(ids);
      asked.push_back(i);
      how.push_back({.max_new_tokens = options.max_new_tokens,
                     .temperature = options.temperature,
                     .samples = options.n,
                     .seed = options.seed,
                     .stream = requests[i].stream,
                     .stop_tokens = {end}});
    }
    answer();
    return answers;
  };
  std::string key = model_files_digest(options.model, options.adapter);
  if (options.where.on_cuda() || options.where.is_bf16())
    key = io::sha256_hex(key + " " + options.where.device + " " + options.where.dtype_name());
  return run_data_sample(options, sampler, key, log, stop);
}

}  // namespace solopo::cli
