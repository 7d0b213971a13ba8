// Writes the files of a tokenizer that was not read from such files, in the form transformers opens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "solopo/io/json.hpp"
#include "solopo/text/bpe.hpp"
#include "solopo/text/tokenizer_spec.hpp"

namespace solopo::text {

// tokenizer.json. `tokens`: text of each id; `in_vocab`: whether the model's vocabulary has it.
[[nodiscard]] inline std::string write_tokenizer_json(const TokenizerSpec& spec,
                                                      const std::vector<std::string>& tokens,
                                                      const std::vector<bool>& in_vocab,
                                                      std::span<const Merge> merges) {
  using io::Json;
  Json vocab = Json::object(), merged = Json::array(), added = Json::array();
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (in_vocab[id]) vocab[tokens[id]] = id;
  }
  for (const Merge& m : merges) {
    merged.push_back({tokens[static_cast<std::size_t>(m.left)], tokens[static_cast<std::size_t>(m.right)]});
  }
  for (const AddedToken& t : spec.added) {
    added.push_back({{"id", t.id},
                     {"content", t.content},
                     {"single_word", t.single_word},
                     {"lstrip", t.lstrip},
                     {"rstrip", t.rstrip},
                     {"normalized", t.normalized},
                     {"special", t.special}});
  }

  const PreTokenizer& pre = spec.pre_tokenizer;
  Json steps = Json::array();
  if (pre.digits != PreTokenizer::Digits::together) {
    steps.push_back({{"type", "Digits"}, {"individual_digits", pre.digits == PreTokenizer::Digits::single}});
  }
  if (pre.pattern == Pattern::llama3 || pre.pattern == Pattern::qwen2) {
    const auto regex = pre.pattern == Pattern::llama3 ? pattern_source::llama3 : pattern_source::qwen2;
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  const auto byte_level = [](bool use_regex) {
    return Json{
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
  };
  steps.push_back(byte_level(pre.pattern == Pattern::gpt2));

  Json post = nullptr;
  if (spec.adds_bos && spec.bos) {
    const auto sequence = [](const char* id, int type) {
      return Json{{"Sequence", {{"id", id}, {"type_id", type}}}};
    };
    const auto special = [&](int type) {
      return Json{{"SpecialToken", {{"id", *spec.bos}, {"type_id", type}}}};
    };
    std::int32_t id = 0;
    for (const AddedToken& t : spec.added) {
      if (t.content == *spec.bos) id = t.id;
    }
    post = {{"type", "TemplateProcessing"},
            {"single", {special(0), sequence("A", 0)}},
            {"pair", {special(0), sequence("A", 0), special(1), sequence("B", 1)}},
            {"special_tokens", {{*spec.bos, {{"id", *spec.bos}, {"ids", {id}}, {"tokens", {*spec.bos}}}}}}};
  }

  const Json document = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", spec.nfc ? Json{{"type", "NFC"}} : Json(nullptr)},
      {"pre_tokenizer", steps.size() == 1 ? steps[0] : Json{{"type", "Sequence"}, {"pretokenizers", steps}}},
      {"post_processor", post},
      {"decoder", byte_level(true)},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", spec.unknown ? Json(*spec.unknown) : Json(nullptr)},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"ignore_merges", spec.ignore_merges},
        {"vocab", vocab},
        {"merges", merged}}},
  };
  return io::dump_json(document, 1) + "\n";
}

[[nodiscard]] inline io::Json named_tokens(const TokenizerSpec& spec) {
  io::Json out = io::Json::object();
  if (spec.bos) out["bos_token"] = *spec.bos;
  if (spec.eos) out["eos_token"] = *spec.eos;
  if (spec.pad) out["pad_token"] = *spec.pad;
  return out;
}

// tokenizer_config.json.
[[nodiscard]] inline std::string write_tokenizer_config(const TokenizerSpec& spec) {
  io::Json config = named_tokens(spec);
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  config["clean_up_tokenization_spaces"] = false;
  if (!spec.chat_template.empty()) config["chat_template"] = spec.chat_template;
  return io::dump_json(config, 2) + "\n";
}

// tokenizer_config.json that was read, with another chat template.
[[nodiscard]] inline std::string with_chat_template(const std::string& tokenizer_config,
                                                    const std::string& source) {
  io::Json config = io::parse_json(tokenizer_config, "tokenizer_config.json", io::FileRole::model);
  config["chat_template"] = source;
  return io::dump_json(config, 2) + "\n";
}

// special_tokens_map.json.
[[nodiscard]] inline std::string write_special_tokens_map(const TokenizerSpec& spec) {
  return io::dump_json(named_tokens(spec), 2) + "\n";
}

}  // namespace solopo::text
