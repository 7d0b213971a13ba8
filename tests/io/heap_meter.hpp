// Bytes that `new` has handed out in this program: now, and at most since reset(). For tests that a hostile
// file makes a reader allocate nothing.
#pragma once

#include <cstddef>

namespace solopo::test {

struct HeapMeter {
  HeapMeter();                             // starts a measurement
  [[nodiscard]] std::size_t peak() const;  // bytes above the start

 private:
  std::size_t start_;
};

}  // namespace solopo::test
