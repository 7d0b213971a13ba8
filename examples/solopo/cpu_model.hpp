// The model of the commands on the CPU: --dtype says whether its products are float32's or bfloat16's.
#pragma once

#include "solopo/kernels/chosen_product.hpp"
#include "solopo/model/llama.hpp"

namespace solopo::cli {

using CpuModel = Llama<float, kernels::ChosenProduct>;

}  // namespace solopo::cli
