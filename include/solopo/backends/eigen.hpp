// Eigen as a backend: vectors (or arrays) with one row or one column known when compiling, their Maps and
// Refs.
#pragma once

#include <Eigen/Core>
#include <concepts>
#include <string>

#include "solopo/backends/concepts.hpp"
#include "solopo/backends/matrix.hpp"
#include "solopo/core/error.hpp"

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

// Row-major matrices, their Maps, Refs and blocks; a stride inside a row is refused when it is met.
template <class M>
requires(std::derived_from<M, Eigen::DenseBase<M>>&& bool(M::IsRowMajor) && !bool(M::IsVectorAtCompileTime) &&
         (Eigen::internal::traits<M>::Flags & Eigen::DirectAccessBit) != 0 &&
         std::floating_point<typename M::Scalar>) struct MatrixBackend<M> {
  using value_type = typename M::Scalar;
  static MatrixView<const value_type> view(const M& m) {
    check(m);
    return {m.data(), m.rows(), m.cols(), m.outerStride()};
  }
  static MatrixView<value_type> view(M& m) requires requires {
    { m.data() } -> std::same_as<value_type*>;
  }
  {
    check(m);
    return {m.data(), m.rows(), m.cols(), m.outerStride()};
  }

 private:
  static void check(const M& m) {
    if (m.innerStride() != 1 && m.cols() > 1)
      throw ArgumentError("matrix", "has " + std::to_string(m.innerStride()) +
                                        " elements from one column to the next, expected 1; copy it first");
  }
};

static_assert(WritableMatrix<Eigen::Matrix<float, -1, -1, Eigen::RowMajor>> && !BatchMatrix<Eigen::MatrixXf>);

static_assert(BatchVector<Eigen::VectorXf> && BatchVector<Eigen::ArrayXd> &&
              BatchVector<Eigen::Map<const Eigen::VectorXf>> && !BatchVector<Eigen::MatrixXf>);

}  // namespace solopo
