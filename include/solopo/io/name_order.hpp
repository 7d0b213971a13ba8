// Tables of tensors are searched by name through a sorted list of positions. Sorting, unlike hashing, stays
// fast for names somebody chose to collide.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <vector>

namespace solopo::io {

// Positions of `tensors` in the order of their names.
template <class Tensors>
[[nodiscard]] std::vector<std::size_t> order_by_name(const Tensors& tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return tensors[a].name < tensors[b].name; });
  return order;
}

// The element of that name, or null; `order` is order_by_name(tensors).
template <class Tensors>
[[nodiscard]] const typename Tensors::value_type* find_by_name(const Tensors& tensors,
                                                               const std::vector<std::size_t>& order,
                                                               std::string_view name) noexcept {
  const auto at =
      std::lower_bound(order.begin(), order.end(), name,
                       [&](std::size_t i, std::string_view key) { return tensors[i].name < key; });
  return at != order.end() && tensors[*at].name == name ? &tensors[*at] : nullptr;
}

}  // namespace solopo::io
