// Memory of a device that grows when more is asked for and is kept otherwise.
#pragma once

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
  // A copy of `from`.
  T* upload(Queue& queue, const std::vector<T>& from) {
    T* const to = reserve(queue, from.size());
    queue.upload(to, from.data(), from.size());
    return to;
  }
  [[nodiscard]] T* data() const noexcept { return array_.data(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return array_.size() * sizeof(T); }

 private:
  typename Queue::template Array<T> array_;
};

}  // namespace solopo::cuda
