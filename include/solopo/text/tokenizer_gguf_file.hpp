// Takes the tokenizer's keys out of an open GGUF file.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/gguf.hpp"
#include "solopo/text/tokenizer_gguf.hpp"

namespace solopo::text {

// Throws ModelError: "missing_key" for model and tokens; "vocab" when tokens, scores, types or merges have
// the wrong type, or scores another number than tokens; "type" for any other key of the wrong type.
[[nodiscard]] inline GgufVocabulary read_gguf_vocabulary(const io::GgufFile& file) {
  const auto list = [&]<class T>(const std::string& key, std::vector<T> empty) {
    try {
      return file.find<std::vector<T>>(key).value_or(std::move(empty));
    } catch (const ModelError& error) {
      throw ModelError("vocab", error.where(), "the elements have the wrong type");
    }
  };
  GgufVocabulary out;
  out.file = file.name();
  out.model = file.get<std::string>("tokenizer.ggml.model");
  out.pre = file.find<std::string>("tokenizer.ggml.pre").value_or("");
  if (!file.has("tokenizer.ggml.tokens")) {
    throw ModelError("missing_key", {.file = out.file, .field = "tokenizer.ggml.tokens"},
                     "the key is absent");
  }
  out.tokens = list("tokenizer.ggml.tokens", std::vector<std::string>{});
  out.types = list("tokenizer.ggml.token_type", std::vector<std::int32_t>{});
  out.merges = list("tokenizer.ggml.merges", std::vector<std::string>{});
  // Byte-level BPE does not use scores; where they are, they must still be one for each token.
  const std::size_t scores = list("tokenizer.ggml.scores", std::vector<float>{}).size();
  if (file.has("tokenizer.ggml.scores") && scores != out.tokens.size()) {
    throw ModelError(
        "vocab", {.file = out.file, .field = "tokenizer.ggml.scores"},
        "has " + std::to_string(scores) + " entries for " + std::to_string(out.tokens.size()) + " tokens");
  }
  out.bos = file.find<std::int64_t>("tokenizer.ggml.bos_token_id");
  out.eos = file.find<std::int64_t>("tokenizer.ggml.eos_token_id");
  out.pad = file.find<std::int64_t>("tokenizer.ggml.padding_token_id");
  out.add_bos = file.find<bool>("tokenizer.ggml.add_bos_token");
  out.chat_template = file.find<std::string>("tokenizer.chat_template").value_or("");
  return out;
}

}  // namespace solopo::text
