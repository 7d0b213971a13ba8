// Named tensors in one flat buffer: a place for each, the next one behind the last.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"

namespace solopo {

// Where one tensor lies: `offset` and `size` in elements, row-major `shape`, Hugging Face's name.
struct TensorSlot {
  std::string name;
  std::vector<std::int64_t> shape;
  std::size_t offset = 0, size = 0;

  friend bool operator==(const TensorSlot&, const TensorSlot&) = default;
};

class TensorLayout {
 public:
  // Elements of the flat buffer, a few of padding included (always zero).
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<const TensorSlot> slots() const& noexcept { return slots_; }
  void slots() const&& = delete;  // would dangle
  // The slot of a name; throws ArgumentError for a name the model does not have.
  [[nodiscard]] const TensorSlot& slot(std::string_view name) const {
    const auto found =
        std::find_if(slots_.begin(), slots_.end(), [&](const TensorSlot& s) { return s.name == name; });
    if (found == slots_.end())
      throw ArgumentError("name", "no tensor '" + printable(name) + "' in this model");
    return *found;
  }

 protected:
  // A tensor begins on a cache line, unless it has to follow the one before it without a gap.
  std::size_t add(std::string name, std::vector<std::int64_t> shape, bool joined = false) {
    std::size_t elements = 1;
    for (const std::int64_t n : shape) elements *= static_cast<std::size_t>(n);
    if (!joined) size_ = (size_ + 15) / 16 * 16;
    slots_.push_back({std::move(name), std::move(shape), size_, elements});
    size_ += elements;
    return slots_.back().offset;
  }

 private:
  std::vector<TensorSlot> slots_;
  std::size_t size_ = 0;
};

}  // namespace solopo
