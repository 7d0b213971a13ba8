// Writes a safetensors file with the layout of the reference writer: tensors by type (widest first) and then
// by name, the header padded with spaces to a multiple of 8.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "solopo/io/atomic_file.hpp"
#include "solopo/io/safetensors_header.hpp"

namespace solopo::io {

struct TensorToWrite {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<std::uint64_t> shape;
  const void* data = nullptr;  // dense, row-major; as many bytes as shape and type need
};

namespace safetensors_detail {

inline std::string write_header(const std::vector<const TensorToWrite*>& order,
                                const std::map<std::string, std::string>& metadata) {
  std::string json = "{";
  if (!metadata.empty()) json += "\"__metadata__\":" + dump_json(Json(metadata)) + ",";
  CheckedSize begin;
  for (const TensorToWrite* tensor : order) {
    const CheckedSize bits = element_count(tensor->shape) * info(tensor->dtype).bits;
    const CheckedSize end = begin + bits.value().value_or(0) / 8;
    if (!bits.valid() || !end.valid())
      throw ArgumentError(printable(tensor->name), "its size exceeds 64 bits");
    if (*bits.value() % 8 != 0)
      throw ArgumentError(printable(tensor->name), "its elements do not fill whole bytes");
    if (tensor->shape.size() > max_rank)
      throw ArgumentError(printable(tensor->name), "it has more than 64 dimensions");
    if (*bits.value() > 0 && !tensor->data) throw ArgumentError(printable(tensor->name), "it has no data");
    json += dump_json(Json(tensor->name)) + ":{\"dtype\":\"" + std::string(info(tensor->dtype).name) +
            "\",\"shape\":" + dump_json(Json(tensor->shape)) + ",\"data_offsets\":[" +
            std::to_string(*begin.value()) + "," + std::to_string(*end.value()) + "]},";
    begin = end;
  }
  if (json.back() == ',') json.pop_back();
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  if (json.size() > max_header_bytes) throw ArgumentError("tensors", "the header exceeds 100 MB");
  return json;
}

}  // namespace safetensors_detail

// Into a file the caller commits. Throws ArgumentError for what the reader would refuse (a name twice or not
// UTF-8, "__metadata__" as a name, sizes that overflow or do not fill bytes), IoError when writing fails.
inline void write_safetensors(AtomicFile& file, std::span<const TensorToWrite> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  std::vector<const TensorToWrite*> order;
  for (const TensorToWrite& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const TensorToWrite* a, const TensorToWrite* b) {
    return std::tie(b->dtype, a->name) < std::tie(a->dtype, b->name);
  });
  std::vector<std::string> names;
  for (const TensorToWrite& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
    throw ArgumentError(printable(*twice), "two tensors have this name");
  }
  if (std::binary_search(names.begin(), names.end(), "__metadata__")) {
    throw ArgumentError("__metadata__", "no tensor can have this name");
  }
  const std::string json = safetensors_detail::write_header(order, metadata);
  const std::uint64_t length = json.size();
  file.write(&length, sizeof length);
  file.write(json);
  for (const TensorToWrite* tensor : order) {
    const std::uint64_t bits = *(element_count(tensor->shape) * info(tensor->dtype).bits).value();
    file.write(tensor->data, static_cast<std::size_t>(bits / 8));
  }
}

inline WrittenFile write_safetensors(const std::filesystem::path& path,
                                     std::span<const TensorToWrite> tensors,
                                     const std::map<std::string, std::string>& metadata = {},
                                     AtomicFileOptions options = {}) {
  AtomicFile file(path, options);
  write_safetensors(file, tensors, metadata);
  return file.commit();
}

}  // namespace solopo::io
