// `solopo inspect`: what is in a file or folder.
#pragma once

#include <cstdint>
#include <filesystem>

#include "console.hpp"

namespace solopo::cli {

struct InspectOptions {
  std::filesystem::path path{};   // a Hugging Face folder, a checkpoint or the folder of a run, .gguf,
                                  // .safetensors, or .jsonl of records
  std::filesystem::path model{};  // for the tokens of records, empty: they are not counted
  bool tensors = false;           // list every tensor
  bool finite = true;             // look for NaN and infinities, which reads all weights
};

// Throws UsageError, DataError, ModelError. Weights that are not finite are reported, not thrown.
void run_inspect(const InspectOptions& options, const Console& console);

}  // namespace solopo::cli
