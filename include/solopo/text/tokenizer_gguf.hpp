// The tokenizer in a GGUF file's metadata. The file has no pre-tokenizer, only its name; what the name stands
// for is known here or refused.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/utf8.hpp"
#include "solopo/text/tokenizer_json.hpp"
#include "solopo/text/tokenizer_spec.hpp"

namespace solopo::text {

// The keys "tokenizer.*" of a GGUF file.
struct GgufVocabulary {
  std::string file;
  std::string model;  // tokenizer.ggml.model
  std::string pre;    // tokenizer.ggml.pre, empty: absent
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;  // of each token; empty: all normal
  std::vector<std::string> merges;  // "a b"
  std::optional<std::int64_t> bos, eos, pad;
  std::optional<bool> add_bos;
  std::string chat_template;  // tokenizer.chat_template
};

namespace detail {

struct NamedPreTokenizer {
  std::string_view name;
  PreTokenizer pre_tokenizer;
  bool nfc = false, ignore_merges = false, adds_bos = false;
};

// Digits apart, normal form and ignored merges as in the models' own tokenizer.json.
inline constexpr NamedPreTokenizer gguf_pre_tokenizers[] = {
    {"smollm", {PreTokenizer::Digits::single, Pattern::gpt2}},
    {"gpt-2", {PreTokenizer::Digits::together, Pattern::gpt2}},
    {"llama-bpe", {PreTokenizer::Digits::together, Pattern::llama3}, false, true, true},
    {"llama3", {PreTokenizer::Digits::together, Pattern::llama3}, false, true, true},
    {"llama-v3", {PreTokenizer::Digits::together, Pattern::llama3}, false, true, true},
    {"qwen2", {PreTokenizer::Digits::together, Pattern::qwen2}, true},
};

}  // namespace detail

// Throws ModelError with the code "tokenizer" (model, pre) or "vocab" (tokens, types, merges, ids).
[[nodiscard]] inline TokenizerSpec read_tokenizer_gguf(GgufVocabulary in) {
  const auto refuse = [&](const char* code, std::string field, const std::string& reason) {
    throw ModelError(code, {.file = in.file, .field = std::move(field)}, reason);
  };
  const auto at = [](std::string_view key, std::size_t index) {
    return std::string(key) + "[" + std::to_string(index) + "]";
  };
  static constexpr std::string_view tokens = "tokenizer.ggml.tokens", types = "tokenizer.ggml.token_type";

  if (in.model != "gpt2") {
    refuse("tokenizer", "tokenizer.ggml.model",
           "is '" + printable(in.model) + "'; only gpt2, byte-level BPE, is known");
  }
  const auto* known =
      std::find_if(std::begin(detail::gguf_pre_tokenizers), std::end(detail::gguf_pre_tokenizers),
                   [&](const auto& entry) { return entry.name == in.pre; });
  if (known == std::end(detail::gguf_pre_tokenizers)) {
    std::string names;
    for (const auto& entry : detail::gguf_pre_tokenizers)
      names += (names.empty() ? "" : ", ") + std::string(entry.name);
    refuse("tokenizer", "tokenizer.ggml.pre",
           (in.pre.empty() ? "is missing" : "is '" + printable(in.pre) + "'") +
               std::string(", which does not say how the model cuts text; known: ") + names);
  }

  TokenizerSpec spec;
  spec.file = in.file;
  spec.vocab_field = std::string(tokens);
  spec.merges_field = "tokenizer.ggml.merges";
  spec.added_field = std::string(tokens);
  spec.pre_tokenizer = known->pre_tokenizer;
  spec.nfc = known->nfc;
  spec.ignore_merges = known->ignore_merges;
  spec.adds_bos = in.add_bos.value_or(known->adds_bos);

  if (in.tokens.empty()) refuse("vocab", std::string(tokens), "is empty");
  if (!in.types.empty() && in.types.size() != in.tokens.size()) {
    refuse("vocab", std::string(types),
           "has " + std::to_string(in.types.size()) + " entries for " + std::to_string(in.tokens.size()) +
               " tokens");
  }
  for (std::size_t i = 0; i < in.tokens.size(); ++i) {
    if (io::find_invalid_utf8(in.tokens[i])) refuse("vocab", at(tokens, i), "is not valid UTF-8");
    const std::int32_t type = in.types.empty() ? 1 : in.types[i];
    switch (type) {
      case 1:  // normal
      case 5:  // unused: a place kept free
        break;
      case 2:  // unknown
      case 3:  // control
      case 4:  // put in by the user
        if (in.tokens[i].empty()) refuse("vocab", at(tokens, i), "a marker without text");
        spec.added.push_back(
            {.id = static_cast<std::int32_t>(i), .content = in.tokens[i], .special = type != 4});
        break;
      case 6:
        refuse("vocab", at(types, i),
               "'" + printable(in.tokens[i]) + "' is a byte token, which byte-level BPE has not");
        break;
      default:
        refuse("vocab", at(types, i), "type " + std::to_string(type) + " does not exist");
    }
    spec.vocab.emplace_back(std::move(in.tokens[i]), static_cast<std::int64_t>(i));
  }
  for (std::size_t i = 0; i < in.merges.size(); ++i) {
    const std::string& merge = in.merges[i];
    // A token may begin with a blank in no byte-level vocabulary: one blank, and not at the edges.
    const std::size_t blank = merge.find(' ');
    if (blank == 0 || blank == merge.npos || blank + 1 == merge.size() ||
        merge.find(' ', blank + 1) != merge.npos) {
      refuse("vocab", at("tokenizer.ggml.merges", i), "'" + printable(merge) + "' is not two tokens");
    }
    spec.merges.emplace_back(merge.substr(0, blank), merge.substr(blank + 1));
  }
  for (auto [id, key, token] : {std::tuple{in.bos, "tokenizer.ggml.bos_token_id", &spec.bos},
                                {in.eos, "tokenizer.ggml.eos_token_id", &spec.eos},
                                {in.pad, "tokenizer.ggml.padding_token_id", &spec.pad}}) {
    if (!id) continue;
    if (*id < 0 || *id >= static_cast<std::int64_t>(spec.vocab.size())) {
      refuse("vocab", key,
             std::to_string(*id) + " is not one of " + std::to_string(spec.vocab.size()) + " tokens");
    }
    *token = spec.vocab[static_cast<std::size_t>(*id)].first;
  }
  if (in.chat_template.size() > most_template_bytes) {
    refuse("template", "tokenizer.chat_template", "is longer than a mebibyte");
  }
  spec.chat_template = std::move(in.chat_template);
  return spec;
}

}  // namespace solopo::text
