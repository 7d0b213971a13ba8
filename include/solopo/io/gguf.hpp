// One GGUF file, opened: typed metadata, and tensors read on demand as floats.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "solopo/io/gguf_header.hpp"
#include "solopo/io/input_file.hpp"
#include "solopo/io/refuse_fast_math.hpp"

namespace solopo::io {

// Opening checks all metadata (ModelError with the codes of read_gguf_header and InputFile); reading takes no
// memory beyond the destination and 256 KiB. Reads are thread safe.
class GgufFile {
 public:
  explicit GgufFile(const std::filesystem::path& path, const GgufLimits& limits = {})
      : file_(path, FileRole::model), header_(read_gguf_header(file_, limits)) {
    names_ = order_by_name(header_.tensors);
  }

  [[nodiscard]] const std::string& name() const noexcept { return file_.name(); }
  [[nodiscard]] std::uint32_t version() const noexcept { return header_.version; }

  // See GgufMetadata for what fits what: get<std::int32_t>, get<float>, get<std::string>,
  // get<std::vector<std::string>> ...
  [[nodiscard]] const GgufMetadata& metadata() const noexcept { return header_.metadata; }
  [[nodiscard]] bool has(std::string_view key) const noexcept { return header_.metadata.has(key); }
  template <class T>
  [[nodiscard]] T get(std::string_view key) const {
    return header_.metadata.get<T>(key);
  }
  template <class T>
  [[nodiscard]] std::optional<T> find(std::string_view key) const {
    return header_.metadata.find<T>(key);
  }

  [[nodiscard]] const std::vector<GgufTensor>& tensors() const noexcept { return header_.tensors; }
  // Null when there is no such tensor.
  [[nodiscard]] const GgufTensor* find_tensor(std::string_view tensor) const noexcept {
    const auto at =
        std::lower_bound(names_.begin(), names_.end(), tensor,
                         [&](std::size_t i, std::string_view key) { return header_.tensors[i].name < key; });
    return at != names_.end() && header_.tensors[*at].name == tensor ? &header_.tensors[*at] : nullptr;
  }

  // The tensor's blocks as they lie in the file. `out` must have exactly their number of bytes.
  void read_bytes(std::string_view tensor, std::span<std::byte> out) const {
    const GgufTensor& entry = require(tensor);
    require_size(out.size(), entry.bytes, "bytes", tensor);
    file_.read_exact(entry.offset, out.data(), out.size());
  }

  // Its values as floats, in the order of the file; F32 F16 BF16 Q8_0 Q4_0 Q4_1, else ModelError
  // unsupported_type. `out` must have exactly its number of elements.
  void read_f32(std::string_view tensor, std::span<float> out) const {
    const GgufTensor& entry = require(tensor);
    require_size(out.size(), entry.elements, "elements", tensor);
    const GgmlTypeInfo& type = *find_ggml_type(entry.type);
    if (entry.type == static_cast<std::uint32_t>(GgmlType::F32)) {
      file_.read_exact(entry.offset, out.data(), out.size_bytes());
      return;
    }
    const std::size_t part_blocks = part_bytes / type.block_bytes;
    std::vector<std::byte> part(std::min<std::uint64_t>(part_blocks * type.block_bytes, entry.bytes));
    std::uint64_t at = entry.offset;
    float* to = out.data();
    for (std::uint64_t blocks = entry.elements / type.block_elements; blocks > 0;) {
      const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(blocks, part_blocks));
      file_.read_exact(at, part.data(), now * type.block_bytes);
      if (!dequantize(entry.type, part.data(), to, now * type.block_elements)) {
        file_.fault("unsupported_type",
                    "values of type " + std::string(type.name) + " cannot be read as floats", entry.offset,
                    entry.name);
      }
      at += now * type.block_bytes;
      to += now * type.block_elements;
      blocks -= now;
    }
  }

 private:
  static constexpr std::size_t part_bytes = std::size_t{1} << 18;

  const GgufTensor& require(std::string_view tensor) const {
    if (const GgufTensor* entry = find_tensor(tensor)) return *entry;
    throw ModelError("missing_tensor", {.file = file_.name(), .field = std::string(tensor)},
                     "there is no such tensor");
  }
  static void require_size(std::uint64_t given, std::uint64_t needed, const char* unit,
                           std::string_view tensor) {
    if (given == needed) return;
    throw ArgumentError("out", "has " + std::to_string(given) + " " + unit + ", tensor '" +
                                   printable(tensor) + "' has " + std::to_string(needed));
  }

  InputFile file_;
  GgufHeader header_;
  std::vector<std::size_t> names_;  // positions in tensors(), by name
};

}  // namespace solopo::io
