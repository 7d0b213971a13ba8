// Eigen as a backend: vectors (or arrays) with one row or one column known when compiling, their Maps and
// Refs.
#pragma once

#include <Eigen/Core>

#include "solopo/backends/concepts.hpp"

namespace solopo {

template <class V>
requires(std::derived_from<V, Eigen::DenseBase<V>>&& bool(V::IsVectorAtCompileTime) &&
         std::floating_point<typename V::Scalar>) struct Backend<V> {
  using value_type = typename V::Scalar;
  using owning_type = typename V::PlainObject;
  static std::size_t size(const V& v) noexcept { return static_cast<std::size_t>(v.size()); }
  static value_type get(const V& v, std::size_t i) noexcept { return v.coeff(static_cast<Eigen::Index>(i)); }
  static const value_type* data(const V& v) noexcept
      requires(bool(V::Flags& Eigen::DirectAccessBit) && V::InnerStrideAtCompileTime == 1) {
    return v.data();
  }
  static owning_type zeros(std::size_t n) { return owning_type::Zero(static_cast<Eigen::Index>(n)); }
  static void set(owning_type& v, std::size_t i, value_type x) noexcept {
    v.coeffRef(static_cast<Eigen::Index>(i)) = x;
  }
};

static_assert(BatchVector<Eigen::VectorXf> && BatchVector<Eigen::ArrayXd> &&
              BatchVector<Eigen::Map<const Eigen::VectorXf>> && !BatchVector<Eigen::MatrixXf>);

}  // namespace solopo
