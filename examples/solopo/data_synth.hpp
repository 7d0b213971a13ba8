// `solopo data synth`: synthetic multi-document questions for the tiny model, as a question-answering file in
// the musique form, which `data build` and `eval` read like any other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string>
#include <string_view>

#include "prompt_format.hpp"

namespace solopo::cli {

struct SynthOptions {
  std::filesystem::path out;
  std::filesystem::path words;  // empty: the list built into the program
  std::int64_t count = 1000;    // questions
  std::int64_t documents = 96;  // documents a question: enough for 512 tokens with the built-in list
  std::uint64_t seed = 0;
  std::string purpose = "train";  // another purpose, other questions: "train", "test", ...
};

void run_data_synth(const SynthOptions& options, std::ostream& log);

// The prompt format that belongs to the built-in word list.
PromptFormat synth_prompt_format();

// The built-in word list, JSON.
std::string_view synth_words();

}  // namespace solopo::cli
