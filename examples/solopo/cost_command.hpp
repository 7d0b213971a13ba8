// `solopo cost`: what the ways of training on a record cost, from the cost model; nothing is run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "console.hpp"

namespace solopo::cli {

struct CostCommandOptions {
  std::string model_shape = "smollm2-135m";  // --model-shape: a known shape
  std::filesystem::path model;               // --model: instead of it, a model's own configuration
  std::int64_t prompt = 8192;                // --prompt: tokens of the long prompt
  std::int64_t short_prompt = 1024;          // --short: tokens of the short prompt
  std::int64_t response = 200;               // --response: tokens of the chosen response
  std::int64_t rejected = 0;                 // --rejected: of the rejected one, 0: as many
  bool recompute = false;                    // --recompute: layers run again in the backward
  std::int64_t mlp_rows = 0;                 // --mlp-rows: that the MLP works on at once, 0: all
  bool every_token = false;                  // --every-token: also a row for a response's last token
  std::int64_t lora_rank = 0;                // --lora-rank: frozen weights and adapters of this rank, 0: none
};

// Throws UsageError for a shape that is not known or lengths below 1, ModelError.
int run_cost(const CostCommandOptions& options, const Console& console);

}  // namespace solopo::cli
