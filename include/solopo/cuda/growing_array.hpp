// Memory of a device that grows when more is asked for and is kept otherwise.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace solopo::cuda {

template <class T, class Queue>
class GrowingArray {
 public:
  // Room for `size`; what was there is lost when it grows.
  T* reserve(Queue& queue, std::size_t size) {
    if (size > array_.size()) {
      queue.wait();  // what runs may still read the old memory
      array_ = {};
      array_ = typename Queue::template Array<T>(size);
    }
    return array_.data();
  }
  // Room for `size`, keeping what was there; at least twice as much as before when it grows.
  T* grow(Queue& queue, std::size_t size) {
    if (size > array_.size()) {
      auto larger = typename Queue::template Array<T>(std::max(size, 2 * array_.size()));
      queue.copy(larger.data(), array_.data(), array_.size());
      queue.wait();  // what runs may still read the old memory
      array_ = std::move(larger);
    }
    return array_.data();
  }
  // A copy of `from`.
  T* upload(Queue& queue, const std::vector<T>& from) {
    T* const to = reserve(queue, from.size());
    queue.upload(to, from.data(), from.size());
    return to;
  }
  [[nodiscard]] T* data() const noexcept { return array_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return array_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return array_.size() * sizeof(T); }

 private:
  typename Queue::template Array<T> array_;
};

}  // namespace solopo::cuda
