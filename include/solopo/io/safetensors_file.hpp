// One safetensors file, opened: the table of its tensors, their data read on demand.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "solopo/io/float_formats.hpp"
#include "solopo/io/input_file.hpp"
#include "solopo/io/refuse_fast_math.hpp"
#include "solopo/io/safetensors_header.hpp"

namespace solopo::io {

// A tensor with values that are NaN or infinite.
struct NonFiniteTensor {
  std::string name;
  std::uint64_t count = 0;
};

// Opening checks the whole header (ModelError: header_too_small, header_too_large, header_length, the codes
// of parse_safetensors_header and of InputFile); reading takes no memory beyond the destination and 256 KiB.
// The file may be replaced by AtomicFile while it is open: the old content stays readable. Reads are thread
// safe.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path) : file_(path, FileRole::model) {
    if (file_.size() < 8) file_.fault("header_too_small", "it has fewer than 8 bytes", file_.size());
    std::uint64_t length = 0;
    file_.read_exact(0, &length, sizeof length);
    if (length > safetensors_detail::max_header_bytes) {
      file_.fault("header_too_large", "the header would have " + std::to_string(length) + " bytes", 0);
    }
    if (length > file_.size() - 8) {
      file_.fault("header_length",
                  "the header would have " + std::to_string(length) + " bytes, past the end of the file", 0);
    }
    std::string json(static_cast<std::size_t>(length), '\0');
    file_.read_exact(8, json.data(), json.size());
    data_offset_ = 8 + length;
    header_ = parse_safetensors_header(json, file_.name(), file_.size() - data_offset_);
    names_ = order_by_name(header_.tensors);
  }

  [[nodiscard]] const std::string& name() const noexcept { return file_.name(); }
  [[nodiscard]] const std::vector<SafetensorsTensor>& tensors() const noexcept { return header_.tensors; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept {
    return header_.metadata;
  }
  // Null when there is no such tensor.
  [[nodiscard]] const SafetensorsTensor* find(std::string_view tensor) const noexcept {
    const auto at =
        std::lower_bound(names_.begin(), names_.end(), tensor,
                         [&](std::size_t i, std::string_view key) { return header_.tensors[i].name < key; });
    return at != names_.end() && header_.tensors[*at].name == tensor ? &header_.tensors[*at] : nullptr;
  }

  // The tensor's bytes as they lie in the file (little-endian). `out` must have exactly their number.
  void read_bytes(std::string_view tensor, std::span<std::byte> out) const {
    const SafetensorsTensor& entry = require(tensor);
    if (out.size() != entry.end - entry.begin) {
      throw ArgumentError("out", "has " + std::to_string(out.size()) + " bytes, tensor '" +
                                     printable(tensor) + "' has " + std::to_string(entry.end - entry.begin));
    }
    file_.read_exact(data_offset_ + entry.begin, out.data(), out.size());
  }

  // Its values as floats: F32, F16 and BF16 exactly, F64 rounded. Other types: ModelError unsupported_dtype.
  // `out` must have exactly its number of elements.
  void read_f32(std::string_view tensor, std::span<float> out) const {
    const SafetensorsTensor& entry = require(tensor);
    if (out.size() != entry.elements()) {
      throw ArgumentError("out", "has " + std::to_string(out.size()) + " elements, tensor '" +
                                     printable(tensor) + "' has " + std::to_string(entry.elements()));
    }
    if (entry.dtype == Dtype::F32)
      return file_.read_exact(data_offset_ + entry.begin, out.data(), out.size_bytes());
    std::size_t done = 0;
    for_each_part(entry, [&](const std::byte* part, std::size_t count) {
      convert(entry.dtype, part, out.data() + done, count);
      done += count;
    });
  }

  // The float tensors (F32, F16, BF16, F64) that hold NaN or infinities; reads the whole file.
  [[nodiscard]] std::vector<NonFiniteTensor> check_finite() const {
    std::vector<NonFiniteTensor> found;
    for (const SafetensorsTensor& entry : header_.tensors) {
      if (!is_float(entry.dtype)) continue;
      std::uint64_t bad = 0;
      for_each_part(entry,
                    [&](const std::byte* part, std::size_t count) { bad += nonfinite(entry, part, count); });
      if (bad > 0) found.push_back({entry.name, bad});
    }
    return found;
  }

 private:
  static constexpr std::size_t part_bytes = std::size_t{1} << 18;

  static bool is_float(Dtype dtype) noexcept {
    return dtype == Dtype::F32 || dtype == Dtype::F16 || dtype == Dtype::BF16 || dtype == Dtype::F64;
  }
  [[noreturn]] void refuse(const SafetensorsTensor& entry, const char* code,
                           const std::string& reason) const {
    file_.fault(code, reason, entry.entry_offset, entry.name);
  }
  const SafetensorsTensor& require(std::string_view tensor) const {
    if (const SafetensorsTensor* entry = find(tensor)) return *entry;
    throw ModelError("missing_tensor", {.file = file_.name(), .field = std::string(tensor)},
                     "there is no such tensor");
  }
  // Calls f(bytes, elements) for one part of the tensor after the other.
  template <class F>
  void for_each_part(const SafetensorsTensor& entry, F f) const {
    if (!is_float(entry.dtype)) {
      refuse(entry, "unsupported_dtype",
             "values of type " + std::string(info(entry.dtype).name) + " cannot be read as floats");
    }
    const std::size_t width = info(entry.dtype).bits / 8;
    std::vector<std::byte> part(
        static_cast<std::size_t>(std::min<std::uint64_t>(part_bytes, entry.end - entry.begin)));
    for (std::uint64_t at = entry.begin; at < entry.end;) {
      const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(part.size(), entry.end - at));
      file_.read_exact(data_offset_ + at, part.data(), bytes);
      f(part.data(), bytes / width);
      at += bytes;
    }
  }
  static void convert(Dtype dtype, const std::byte* from, float* to, std::size_t count) noexcept {
    if (dtype == Dtype::F16) return halves_to_floats(from, to, count);
    if (dtype == Dtype::BF16) return bfloat16s_to_floats(from, to, count);
    for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<float>(value_at<double>(from, i));
  }
  template <class T>
  static T value_at(const std::byte* from, std::size_t i) noexcept {
    T value;
    std::memcpy(&value, from + i * sizeof(T), sizeof(T));
    return value;
  }
  static std::uint64_t nonfinite(const SafetensorsTensor& entry, const std::byte* part,
                                 std::size_t count) noexcept {
    std::uint64_t bad = 0;
    for (std::size_t i = 0; i < count; ++i) {
      switch (entry.dtype) {
        case Dtype::F32:
          bad += !std::isfinite(value_at<float>(part, i));
          break;
        case Dtype::F64:
          bad += !std::isfinite(value_at<double>(part, i));
          break;
        case Dtype::F16:
          bad += !std::isfinite(half_to_float(value_at<std::uint16_t>(part, i)));
          break;
        default:
          bad += !std::isfinite(bfloat16_to_float(value_at<std::uint16_t>(part, i)));
          break;
      }
    }
    return bad;
  }

  InputFile file_;
  std::uint64_t data_offset_ = 0;
  SafetensorsHeader header_;
  std::vector<std::size_t> names_;  // positions in tensors(), by name
};

}  // namespace solopo::io
