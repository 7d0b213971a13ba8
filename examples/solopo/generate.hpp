// `solopo generate`: let a model continue a text or answer a chat.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "console.hpp"
#include "device.hpp"

namespace solopo::cli {

struct GenerateCommandOptions {
  std::filesystem::path model{};
  std::filesystem::path adapter{};   // merged into the model, empty: none
  std::string template_name{};       // empty: the model's own
  std::string prompt{};              // text of the user's turn, or "-": standard input
  std::string system{};              // a system turn before it, empty: the template's default
  std::filesystem::path messages{};  // instead of prompt: JSON, a list of {role, content}
  bool raw = false;                  // the prompt as it is, without a template
  std::int32_t max_new_tokens = 256;
  double temperature = 0;  // 0: greedy
  std::int32_t samples = 1;
  std::uint64_t seed = 0;
  std::int64_t threads = 0;
  DeviceOptions where{};
};

// Writes the text as it comes (one sample) or one sample after the other. Returns 0, or 130 or 143 when it
// was stopped. Throws UsageError, DataError, ModelError.
int run_generate(const GenerateCommandOptions& options, const Console& console);

}  // namespace solopo::cli
