// What a tensor library must offer so that batches of log-probabilities can live in its vectors.
#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>

namespace solopo {

// Specialise for a vector type V (a one-dimensional array of float or double):
//   using value_type;                                    float or double
//   using owning_type;                                   what results are returned in
//   static std::size_t size(const V&);
//   static value_type get(const V&, std::size_t);
//   static owning_type zeros(std::size_t);
//   static void set(owning_type&, std::size_t, value_type);
//   static const value_type* data(const V&);             only where the numbers follow each other in memory
template <class V>
struct Backend;

// A vector of some backend. A two-dimensional Eigen array, for instance, is none.
template <class V>
concept BatchVector = requires(const V& v, typename Backend<V>::owning_type& out, std::size_t i) {
  requires std::floating_point<typename Backend<V>::value_type>;
  { Backend<V>::size(v) } -> std::same_as<std::size_t>;
  { Backend<V>::get(v, i) } -> std::same_as<typename Backend<V>::value_type>;
  { Backend<V>::zeros(i) } -> std::same_as<typename Backend<V>::owning_type>;
  Backend<V>::set(out, i, Backend<V>::get(v, i));
};

template <BatchVector V>
using ScalarOf = typename Backend<V>::value_type;
template <BatchVector V>
using OwningOf = typename Backend<V>::owning_type;

}  // namespace solopo
