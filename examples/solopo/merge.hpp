// `solopo merge`: a model with adapters added into its weights.
#pragma once

#include <filesystem>

#include "console.hpp"

namespace solopo::cli {

struct MergeOptions {
  std::filesystem::path model, adapter, out;
};

// Writes the merged model's folder. Throws UsageError, ModelError, IoError.
void run_merge(const MergeOptions& options, const Console& console);

}  // namespace solopo::cli
