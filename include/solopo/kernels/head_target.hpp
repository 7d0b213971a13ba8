// Which row of a model's output predicts which token of which response.
#pragma once

#include <cstdint>

namespace solopo {

// Row `row` of the model's output predicts `token`, which belongs to response `response`.
struct HeadTarget {
  std::int32_t row, token, response;
};

}  // namespace solopo
