// The header of a safetensors file: 8 bytes of length, then JSON that names each tensor's type, shape and
// range of the data. Everything is checked here, before a byte of data is read. Format:
// github.com/huggingface/safetensors; the checks are those of its reference reader, or stricter.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/io/checked_size.hpp"
#include "solopo/io/dtype.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/name_order.hpp"

namespace solopo::io {

struct SafetensorsTensor {
  std::string name;
  Dtype dtype{};
  std::vector<std::uint64_t> shape;  // row-major, slowest first; empty: a scalar
  std::uint64_t begin = 0, end = 0;  // bytes within the data that follow the header
  std::uint64_t entry_offset = 0;    // byte of the file where its header entry ends, for errors

  [[nodiscard]] std::uint64_t elements() const noexcept { return element_count(shape).value().value_or(0); }
};

// Sorted by (begin, end).
struct SafetensorsHeader {
  std::vector<SafetensorsTensor> tensors;
  std::map<std::string, std::string> metadata;
};

namespace safetensors_detail {

inline constexpr std::uint64_t max_header_bytes = 100'000'000;  // of the format
inline constexpr std::size_t max_rank = 64;

// Reads the JSON as it comes, so a hostile one never becomes a large document. Unknown members of an entry
// are passed over, as the reference does.
class HeaderHandler final : public JsonHandler {
 public:
  SafetensorsHeader header;

  bool start_object(std::size_t) override {
    if (skip_open()) return true;
    if (at_ == At::outside) {
      at_ = At::top;
    } else if (at_ == At::top && name_ == "__metadata__") {
      at_ = At::metadata;
    } else if (at_ == At::top) {
      at_ = At::entry;
      header.tensors.emplace_back().name = name_;
      has_dtype_ = has_shape_ = false;
      offsets_.clear();
      has_offsets_ = false;
    } else {
      refuse("an object stands where it does not belong");
    }
    return true;
  }
  bool end_object() override {
    if (skip_close()) return true;
    if (at_ == At::entry) {
      finish_entry();
      at_ = At::top;
    } else {
      at_ = at_ == At::metadata ? At::top : At::outside;
    }
    return true;
  }
  bool key(std::string& key_name) override {
    if (skipping_ > 0) return true;
    if (at_ == At::top) {
      name_ = std::move(key_name);
      if (name_ == "__metadata__" && std::exchange(has_metadata_, true))
        fail("duplicate", "there are two", name_);
    } else if (at_ == At::metadata) {
      metadata_key_ = std::move(key_name);
    } else {
      member_ = find_member(key_name);
      bool* const seen = member_ == Member::dtype     ? &has_dtype_
                         : member_ == Member::shape   ? &has_shape_
                         : member_ == Member::offsets ? &has_offsets_
                                                      : nullptr;
      if (seen && std::exchange(*seen, true)) fail("duplicate", "'" + key_name + "' appears twice", name_);
    }
    return true;
  }
  bool start_array(std::size_t) override {
    if (skip_open()) return true;
    if (at_ == At::entry && member_ == Member::shape) {
      at_ = At::shape;
    } else if (at_ == At::entry && member_ == Member::offsets) {
      at_ = At::offsets;
    } else {
      refuse("an array stands where it does not belong");
    }
    return true;
  }
  bool end_array() override {
    if (skip_close()) return true;
    if (at_ == At::offsets && offsets_.size() != 2) refuse("data_offsets must be two numbers");
    at_ = At::entry;
    return true;
  }
  bool number_unsigned(std::uint64_t value) override {
    if (at_ == At::shape && skipping_ == 0) {
      auto& shape = header.tensors.back().shape;
      if (shape.size() == max_rank) refuse("the shape has more than 64 dimensions");
      shape.push_back(value);
      return true;
    }
    if (at_ == At::offsets && skipping_ == 0) {
      if (offsets_.size() == 2) refuse("data_offsets must be two numbers");
      offsets_.push_back(value);
      return true;
    }
    return scalar();
  }
  bool string(std::string& value) override {
    if (at_ == At::metadata) {
      if (!header.metadata.emplace(metadata_key_, std::move(value)).second) {
        fail("duplicate", "the key of __metadata__ appears twice", metadata_key_);
      }
      return true;
    }
    if (at_ != At::entry || member_ != Member::dtype || skipping_ > 0) return scalar();
    const auto dtype = find_dtype(value);
    if (!dtype) fail("unknown_dtype", "the type '" + printable(value) + "' is not known", name_);
    header.tensors.back().dtype = *dtype;
    return true;
  }
  bool null() override { return scalar(); }
  bool boolean(bool) override { return scalar(); }
  bool number_integer(std::int64_t) override { return scalar(); }
  bool number_float(double, const std::string&) override { return scalar(); }

 private:
  enum class At { outside, top, metadata, entry, shape, offsets };
  enum class Member { dtype, shape, offsets, unknown };

  static Member find_member(std::string_view text) noexcept {
    if (text == "dtype") return Member::dtype;
    if (text == "shape") return Member::shape;
    return text == "data_offsets" ? Member::offsets : Member::unknown;
  }
  // Inside the value of an unknown member, however deep.
  bool skip_open() noexcept {
    if (skipping_ > 0 || (at_ == At::entry && member_ == Member::unknown)) return ++skipping_ > 0;
    return false;
  }
  bool skip_close() noexcept {
    if (skipping_ == 0) return false;
    --skipping_;
    return true;
  }
  bool scalar() {
    if (skipping_ > 0 || (at_ == At::entry && member_ == Member::unknown)) return true;
    refuse("a value has the wrong type");
  }
  [[noreturn]] void refuse(const std::string& reason) const {
    if (at_ == At::outside) fail("json", "the header must be a JSON object");
    if (at_ == At::metadata) fail("bad_metadata", "each value must be a string", metadata_key_);
    if (at_ == At::top && name_ == "__metadata__")
      fail("bad_metadata", "it must be an object of strings", name_);
    fail("bad_entry", at_ == At::top ? "the entry of a tensor must be an object" : reason, name_);
  }
  void finish_entry() {
    if (!has_dtype_) refuse("the entry has no dtype");
    if (!has_shape_) refuse("the entry has no shape");
    if (!has_offsets_) refuse("the entry has no data_offsets");
    SafetensorsTensor& tensor = header.tensors.back();
    tensor.begin = offsets_[0];
    tensor.end = offsets_[1];
    tensor.entry_offset = 8 + position();
  }

  At at_ = At::outside;
  Member member_ = Member::unknown;
  std::size_t skipping_ = 0;  // open containers inside an unknown member
  std::string name_, metadata_key_;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false, has_metadata_ = false;
  std::vector<std::uint64_t> offsets_;
};

}  // namespace safetensors_detail

// `json` is the header text (N bytes at byte 8 of the file), `data_bytes` what follows it in the file. Throws
// ModelError: utf8, json, duplicate, bad_entry, bad_metadata, unknown_dtype, invalid_offset, overflow,
// misaligned, size_mismatch, incomplete_buffer. Its memory is at most a few times the header.
[[nodiscard]] inline SafetensorsHeader parse_safetensors_header(std::string_view json,
                                                                const std::string& file,
                                                                std::uint64_t data_bytes) {
  safetensors_detail::HeaderHandler handler;
  const JsonOrigin origin{.file = file, .role = FileRole::model, .offset = 8};
  walk_json(json, origin, {.max_bytes = safetensors_detail::max_header_bytes}, handler);
  SafetensorsHeader header = std::move(handler.header);
  auto& tensors = header.tensors;
  const auto refuse = [&](const SafetensorsTensor& tensor, const char* code, const std::string& reason) {
    throw ModelError(code,
                     {.file = file, .offset = tensor.entry_offset, .has_offset = true, .field = tensor.name},
                     reason);
  };

  const std::vector<std::size_t> names = order_by_name(tensors);
  for (std::size_t i = 1; i < names.size(); ++i) {
    if (tensors[names[i - 1]].name == tensors[names[i]].name) {
      refuse(tensors[names[i]], "duplicate", "the tensor appears twice");
    }
  }
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t begin = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    if (tensor.begin != begin || tensor.end < tensor.begin) {
      refuse(tensor, "invalid_offset",
             "its data is [" + std::to_string(tensor.begin) + ", " + std::to_string(tensor.end) +
                 "), but must begin at " + std::to_string(begin) + ", where the tensor before it ends");
    }
    const auto bits = (element_count(tensor.shape) * info(tensor.dtype).bits).value();
    if (!bits) refuse(tensor, "overflow", "its shape has more elements than 64 bits can count");
    if (*bits % 8 != 0) refuse(tensor, "misaligned", "its elements do not fill whole bytes");
    if (tensor.end - tensor.begin != *bits / 8) {
      refuse(tensor, "size_mismatch",
             "its shape and type need " + std::to_string(*bits / 8) + " bytes, data_offsets give " +
                 std::to_string(tensor.end - tensor.begin));
    }
    begin = tensor.end;
  }
  if (begin != data_bytes) {
    throw ModelError(
        "incomplete_buffer", {.file = file, .offset = 8 + json.size(), .has_offset = true, .field = {}},
        "the tensors take " + std::to_string(begin) + " bytes, the file holds " + std::to_string(data_bytes));
  }
  return header;
}

}  // namespace solopo::io
