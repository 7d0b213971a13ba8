// Reads and checks everything of a GGUF file but the tensors' data: magic, version, keys and values, tensor
// table. Format: ggml's docs/gguf.md, versions 2 and 3, little-endian.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/io/checked_size.hpp"
#include "solopo/io/ggml_blocks.hpp"
#include "solopo/io/gguf_metadata.hpp"
#include "solopo/io/input_file.hpp"
#include "solopo/io/name_order.hpp"

namespace solopo::io {

struct GgufTensor {
  std::string name;
  std::uint32_t type = 0;           // see find_ggml_type
  std::vector<std::uint64_t> dims;  // as in the file: fastest first, at most 4; empty: a scalar
  std::uint64_t elements = 0, bytes = 0;
  std::uint64_t offset = 0;  // of its data in the file

  // Slowest first, as safetensors and everybody else writes it.
  [[nodiscard]] std::vector<std::uint64_t> shape() const { return {dims.rbegin(), dims.rend()}; }
};

struct GgufLimits {
  std::uint64_t max_metadata_bytes = std::uint64_t{32}
                                     << 20;            // all before the data; large vocabularies take 8 MiB
  std::uint64_t max_entries = std::uint64_t{1} << 20;  // keys, and as many tensors
  bool metadata_only = false;                          // the data may be absent
};

struct GgufHeader {
  std::uint32_t version = 0;
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;  // in the order of the file
};

namespace gguf_detail {

inline constexpr std::uint64_t max_key_bytes = 65535, max_name_bytes = 63, max_dims = 4;
inline constexpr std::uint64_t max_alignment = std::uint64_t{1} << 20;

// The start of the file, fetched part by part and only as far as it is needed.
class Cursor {
 public:
  Cursor(const InputFile& file, std::uint64_t limit) : file_(file), limit_(limit) {}

  [[nodiscard]] std::uint64_t at() const noexcept { return at_; }
  [[nodiscard]] std::uint64_t remaining() const noexcept { return file_.size() - at_; }
  [[nodiscard]] std::string_view text(std::uint64_t offset, std::uint64_t bytes) const {
    return std::string_view(bytes_).substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(bytes));
  }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

  // Moves past `count` bytes, which are then in memory. `code` if the file has no so many.
  void skip(CheckedSize count, const char* code, std::string_view field) {
    if (!count.fits(remaining())) refuse(code, "the file ends inside it", field);
    const std::uint64_t end = at_ + *count.value();  // at most the file's size
    if (end > limit_) {
      refuse("too_large", "the metadata has more than " + std::to_string(limit_) + " bytes", field);
    }
    if (end > bytes_.size()) {
      const std::uint64_t some = std::max<std::uint64_t>(end, bytes_.size() + bytes_.size() / 2 + 65536);
      const std::uint64_t wanted = std::min({some, file_.size(), std::max(limit_, end)});
      const std::size_t have = bytes_.size();
      bytes_.resize(static_cast<std::size_t>(wanted));
      file_.read_exact(have, bytes_.data() + have, bytes_.size() - have);
    }
    at_ = end;
  }
  template <class T>
  T read(std::string_view field, const char* code = "truncated") {
    skip(sizeof(T), code, field);
    T value;
    std::memcpy(&value, bytes_.data() + at_ - sizeof(T), sizeof(T));
    return value;
  }
  [[noreturn]] void refuse(const char* code, const std::string& reason, std::string_view field = {}) const {
    file_.fault(code, reason, at_, field);
  }

 private:
  const InputFile& file_;
  std::uint64_t limit_, at_ = 0;
  std::string bytes_;
};

inline GgufType read_type(Cursor& in, std::string_view field) {
  const auto type = in.read<std::uint32_t>(field);
  if (type >= gguf_type_count)
    in.refuse("type", "the value type " + std::to_string(type) + " is not known", field);
  return static_cast<GgufType>(type);
}

inline GgufEntry read_entry(Cursor& in, std::uint64_t index) {
  const std::string number = "key " + std::to_string(index);
  GgufEntry entry;
  const auto key_bytes = in.read<std::uint64_t>(number);
  if (key_bytes == 0 || key_bytes > max_key_bytes) {
    in.refuse("key", "the key would have " + std::to_string(key_bytes) + " bytes", number);
  }
  entry.key_offset = in.at();
  entry.key_bytes = key_bytes;
  in.skip(key_bytes, "key", number);
  const std::string key(in.text(entry.key_offset, key_bytes));
  entry.type = entry.element = read_type(in, key);
  if (entry.type == GgufType::ARRAY) {
    entry.element = read_type(in, key);
    if (entry.element == GgufType::ARRAY) in.refuse("type", "an array of arrays is not supported", key);
    entry.count = in.read<std::uint64_t>(key);
  }
  entry.value_offset = in.at();
  const char* const code =
      entry.type == GgufType::ARRAY || entry.type == GgufType::STRING ? "length" : "truncated";
  if (entry.element != GgufType::STRING) {
    in.skip(CheckedSize(entry.count) * gguf_type_bytes(entry.element), code, key);
    return entry;
  }
  if (entry.count > in.remaining() / 8) {
    in.refuse("length", "the array would have " + std::to_string(entry.count) + " strings", key);
  }
  for (std::uint64_t i = 0; i < entry.count; ++i) in.skip(in.read<std::uint64_t>(key, code), code, key);
  return entry;
}

// Name, dims and type; the offset as stored, within the data.
inline GgufTensor read_tensor(Cursor& in, std::uint64_t index) {
  const std::string number = "tensor " + std::to_string(index);
  GgufTensor tensor;
  const auto name_bytes = in.read<std::uint64_t>(number);
  if (name_bytes > max_name_bytes) {
    in.refuse("name", "the name would have " + std::to_string(name_bytes) + " bytes, at most 63 are allowed",
              number);
  }
  in.skip(name_bytes, "name", number);
  tensor.name = in.text(in.at() - name_bytes, name_bytes);
  const auto dims = in.read<std::uint32_t>(tensor.name);
  if (dims > max_dims)
    in.refuse("dims", "it would have " + std::to_string(dims) + " dimensions", tensor.name);
  CheckedSize elements = 1;
  for (std::uint32_t i = 0; i < dims; ++i) {
    const auto extent = in.read<std::int64_t>(tensor.name);
    if (extent < 0) in.refuse("dims", "dimension " + std::to_string(i) + " is negative", tensor.name);
    tensor.dims.push_back(static_cast<std::uint64_t>(extent));
    elements = elements * static_cast<std::uint64_t>(extent);
  }
  tensor.type = in.read<std::uint32_t>(tensor.name);
  const GgmlTypeInfo* const type = find_ggml_type(tensor.type);
  if (!type) {
    in.refuse("ggml_type", "the tensor type " + std::to_string(tensor.type) + " is not known", tensor.name);
  }
  const std::uint64_t row = tensor.dims.empty() ? 1 : tensor.dims.front();
  if (row % type->block_elements != 0) {
    in.refuse(
        "block",
        "rows of " + std::to_string(row) + " elements are no whole blocks of " + std::string(type->name),
        tensor.name);
  }
  const CheckedSize bytes =
      CheckedSize(elements.value().value_or(0) / type->block_elements) * type->block_bytes;
  if (!elements.valid() || !bytes.valid()) in.refuse("overflow", "its size exceeds 64 bits", tensor.name);
  tensor.elements = *elements.value();
  tensor.bytes = *bytes.value();
  tensor.offset = in.read<std::uint64_t>(tensor.name);
  return tensor;
}

inline std::uint64_t read_alignment(const GgufMetadata& metadata, const InputFile& file) {
  const GgufEntry* const entry = metadata.entry("general.alignment");
  if (!entry) return 32;
  const auto refuse = [&](const std::string& reason) {
    file.fault("alignment", reason, entry->value_offset, "general.alignment");
  };
  if (entry->type != GgufType::U32) refuse("it must be of type u32");
  const auto alignment = metadata.get<std::uint32_t>("general.alignment");
  if (!std::has_single_bit(alignment) || alignment > max_alignment) {
    refuse(std::to_string(alignment) + " is not a power of two up to 1048576");
  }
  return alignment;
}

// Turns stored offsets into offsets of the file; every tensor must follow the one before it.
inline void place_tensors(std::vector<GgufTensor>& tensors, const InputFile& file, std::uint64_t header_end,
                          std::uint64_t alignment, bool metadata_only) {
  constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const CheckedSize data = CheckedSize(header_end).padded_to(alignment);
  CheckedSize next = 0;  // within the data
  for (GgufTensor& tensor : tensors) {
    const auto refuse = [&](const char* code, const std::string& reason) {
      file.fault(code, reason, header_end, tensor.name);
    };
    const CheckedSize end = data + next + tensor.bytes;
    const CheckedSize after = (next + tensor.bytes).padded_to(alignment);
    if (!end.fits(largest) || !after.valid()) refuse("overflow", "its end exceeds 63 bits");
    if (tensor.offset != *next.value()) {
      refuse("offset", "its data is at " + std::to_string(tensor.offset) +
                           ", but must follow the tensor before it at " + std::to_string(*next.value()));
    }
    if (!metadata_only && !end.fits(file.size()) && tensor.bytes > 0) {
      refuse("truncated", "its data ends at byte " + std::to_string(*end.value()) + ", the file has " +
                              std::to_string(file.size()));
    }
    tensor.offset = *(data + next).value();
    next = after;
  }
}

}  // namespace gguf_detail

// Throws ModelError: magic, version, count, key, type, length, truncated, too_large, alignment, split, name,
// dims, ggml_type, block, overflow, offset. Nothing is allocated for what the file does not hold.
[[nodiscard]] inline GgufHeader read_gguf_header(const InputFile& file, const GgufLimits& limits = {}) {
  gguf_detail::Cursor in(file, limits.max_metadata_bytes);
  if (file.size() < 24) in.refuse("magic", "it has fewer than 24 bytes, so it is no GGUF file");
  if (in.read<std::uint32_t>("magic") != 0x46554747u) in.refuse("magic", "it does not begin with GGUF");
  GgufHeader header;
  header.version = in.read<std::uint32_t>("version");
  if (header.version < 2 || header.version > 3) {
    const bool swapped = header.version != 0 && (header.version & 0xffffu) == 0;
    in.refuse("version",
              swapped ? "it is a big-endian file, only little-endian ones are read"
                      : "version " + std::to_string(header.version) + " is not supported, 2 and 3 are");
  }
  const auto tensor_count = in.read<std::uint64_t>("tensor_count");
  const auto entry_count = in.read<std::uint64_t>("metadata_kv_count");
  // The smallest entry has 14 bytes (length 8, key 1, type 4, value 1), the smallest tensor 24.
  if (entry_count > in.remaining() / 14 || entry_count > limits.max_entries) {
    in.refuse("count", std::to_string(entry_count) + " keys are more than can be", "metadata_kv_count");
  }
  if (tensor_count > in.remaining() / 24 || tensor_count > limits.max_entries) {
    in.refuse("count", std::to_string(tensor_count) + " tensors are more than can be", "tensor_count");
  }

  std::vector<GgufEntry> entries;
  for (std::uint64_t i = 0; i < entry_count; ++i) entries.push_back(gguf_detail::read_entry(in, i));
  for (std::uint64_t i = 0; i < tensor_count; ++i) header.tensors.push_back(gguf_detail::read_tensor(in, i));
  const std::uint64_t header_end = in.at();
  header.metadata = GgufMetadata(file.name(), in.take(), std::move(entries));

  const auto& sorted = header.metadata.entries();
  const auto twice =
      std::adjacent_find(sorted.begin(), sorted.end(), [&](const GgufEntry& a, const GgufEntry& b) {
        return header.metadata.key(a) == header.metadata.key(b);
      });
  if (twice != sorted.end()) {
    file.fault("key", "the key appears twice", twice->key_offset, header.metadata.key(*twice));
  }
  const std::vector<std::size_t> names = order_by_name(header.tensors);
  for (std::size_t i = 1; i < names.size(); ++i) {
    const std::string& name = header.tensors[names[i]].name;
    if (header.tensors[names[i - 1]].name == name)
      file.fault("name", "two tensors have this name", header_end, name);
  }
  if (header.metadata.find<std::uint64_t>("split.count").value_or(1) > 1) {
    file.fault("split", "split files unsupported: merge the parts into one file first",
               header.metadata.entry("split.count")->value_offset, "split.count");
  }
  gguf_detail::place_tensors(header.tensors, file, header_end,
                             gguf_detail::read_alignment(header.metadata, file), limits.metadata_only);
  return header;
}

}  // namespace solopo::io
