// How far two vectors with a model's layout are apart in one tensor.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "solopo/model/tensor_layout.hpp"

namespace solopo::test {

// |a - b| / |b|; 0 where both are the same, zeros too.
template <class T>
double tensor_distance(const TensorSlot& slot, const std::vector<T>& a, const std::vector<T>& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = slot.offset; i < slot.offset + slot.size; ++i) {
    difference += std::pow(double(a[i]) - double(b[i]), 2);
    norm += std::pow(double(b[i]), 2);
  }
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}

}  // namespace solopo::test
