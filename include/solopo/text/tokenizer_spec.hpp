// What a tokenizer is made of, as the readers of tokenizer.json and GGUF hand it over: plain data, not yet
// checked for agreement between its parts (Tokenizer's constructor does that).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "solopo/text/added_tokens.hpp"
#include "solopo/text/splitters.hpp"

namespace solopo::text {

struct TokenizerSpec {
  std::string file;                           // where it was read, for errors
  std::string vocab_field = "model.vocab";    // what that file calls the vocabulary
  std::string merges_field = "model.merges";  // and the merges
  std::string added_field = "added_tokens";   // and the added tokens

  // (token, id) of the vocabulary, in the byte alphabet; with the added tokens the ids are 0 .. n - 1.
  std::vector<std::pair<std::string, std::int64_t>> vocab;
  std::vector<std::pair<std::string, std::string>> merges;  // by rank
  std::vector<AddedToken> added;  // may also stand in the vocabulary, with the same id

  PreTokenizer pre_tokenizer;
  bool nfc = false;            // text is normalised to form C first
  bool ignore_merges = false;  // a piece that is a token is that token, whatever the merges say
  bool adds_bos = false;       // the post-processor puts bos before every text; encode() never does
  std::optional<std::string> bos, eos, pad;
  std::optional<std::string> unknown;  // stands for bytes that are not in the vocabulary
  std::string chat_template;           // Jinja source, empty: none

  // Files to write again as they were read: (name, content). Empty: rebuilt from the above.
  std::vector<std::pair<std::string, std::string>> files;
};

}  // namespace solopo::text
