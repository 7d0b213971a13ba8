// A std::vector whose data starts on a cache line and whose new elements are left uninitialised: activations
// are written before they are read, and zeroing gigabytes costs as much as a layer.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace solopo::kernels {

template <class T, std::size_t Alignment = 64>
struct AlignedAllocator {
  using value_type = T;
  template <class U>
  struct rebind {
    using other = AlignedAllocator<U, Alignment>;
  };
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U, Alignment>&) noexcept {}

  T* allocate(std::size_t n) {
    return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{Alignment}));
  }
  void deallocate(T* p, std::size_t) noexcept { ::operator delete (p, std::align_val_t{Alignment}); }

  // Default, not value initialisation: resize() leaves floats as they are.
  template <class U>
  void construct(U* p) noexcept(std::is_nothrow_default_constructible_v<U>) {
    ::new (static_cast<void*>(p)) U;
  }
  template <class U, class... Args>
  void construct(U* p, Args&&... args) {
    ::new (static_cast<void*>(p)) U(std::forward<Args>(args)...);
  }
  friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) { return true; }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

// Gives `v` n elements whose values are lost. Unlike resize() it never allocates more than n (a vector that
// grows doubles, which for an arena is gigabytes) and never holds the old elements beside the new ones.
template <class T>
void resize_discarding(AlignedVector<T>& v, std::size_t n) {
  if (v.capacity() < n) {
    v = AlignedVector<T>();
    v.reserve(n);
  }
  v.resize(n);
}

}  // namespace solopo::kernels
