// `--dtype float32|bf16` of the benchmark programs.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "solopo/kernels/chosen_product.hpp"

namespace solopo::bench {

// Products are in this from now on; true: bf16. Ends the program where `dtype` is neither, or not to be had.
inline bool choose_dtype(const char* program, const std::string& dtype) {
  const auto refuse = [&](const char* why) {
    std::fprintf(stderr, "%s: %s\n", program, why);
    std::exit(2);
  };
  const bool bf16 = dtype == "bf16";
  if (!bf16 && dtype != "float32") refuse("--dtype must be float32 or bf16");
  if (bf16 && !kernels::has_native_bf16())
    refuse("no bfloat16 products on this machine (AVX512_BF16), or a build without oneDNN");
  kernels::ChosenProduct::choose(bf16);
  return bf16;
}

}  // namespace solopo::bench
