// The key-value part of a GGUF file. The bytes are kept as they lie in the file and decoded when asked for,
// so a file cannot make the reader hold much more than its own bytes.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/checked_size.hpp"

namespace solopo::io {

enum class GgufType : std::uint32_t { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };
inline constexpr std::uint32_t gguf_type_count = 13;

// Bytes of a value; 0 for strings and arrays, which tell their own.
[[nodiscard]] constexpr std::uint32_t gguf_type_bytes(GgufType type) noexcept {
  constexpr std::uint32_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return bytes[static_cast<std::uint32_t>(type)];
}
[[nodiscard]] constexpr std::string_view gguf_type_name(GgufType type) noexcept {
  constexpr std::string_view names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                        "bool", "string", "array", "u64", "i64", "f64"};
  return names[static_cast<std::uint32_t>(type)];
}

// One key and where its value lies. Offsets are bytes of the file.
struct GgufEntry {
  std::uint64_t key_offset = 0, key_bytes = 0;
  GgufType type{};     // ARRAY: `element` and `count` say of what
  GgufType element{};  // of a single value: its type
  std::uint64_t count = 1;
  std::uint64_t value_offset = 0;  // of the first element
};

template <class T>
inline constexpr bool is_gguf_list = false;
template <class T>
inline constexpr bool is_gguf_list<std::vector<T>> = true;

// Wrong types are ModelError "type", values that do not fit the wanted integer "range", absent keys
// "missing_key"; each names key and byte. Any integer type of the file serves any wanted integer type that
// holds its value; floats come from f32 and f64 only, bool from bool, std::string from string; std::vector<T>
// from an array whose elements serve T. std::string_view lives as long as this object.
class GgufMetadata {
 public:
  GgufMetadata() = default;
  // `bytes`: the file from its first byte on; `entries`: checked against them, with distinct keys.
  GgufMetadata(std::string file, std::string bytes, std::vector<GgufEntry> entries)
      : file_(std::move(file)), bytes_(std::move(bytes)), entries_(std::move(entries)) {
    std::sort(entries_.begin(), entries_.end(),
              [this](const GgufEntry& a, const GgufEntry& b) { return key(a) < key(b); });
  }

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] const std::vector<GgufEntry>& entries() const noexcept { return entries_; }  // by key
  [[nodiscard]] std::string_view key(const GgufEntry& entry) const noexcept {
    return std::string_view(bytes_).substr(entry.key_offset, entry.key_bytes);
  }
  // Null when the key is absent.
  [[nodiscard]] const GgufEntry* entry(std::string_view wanted) const noexcept {
    const auto at = std::lower_bound(entries_.begin(), entries_.end(), wanted,
                                     [this](const GgufEntry& e, std::string_view k) { return key(e) < k; });
    return at != entries_.end() && key(*at) == wanted ? &*at : nullptr;
  }
  [[nodiscard]] bool has(std::string_view wanted) const noexcept { return entry(wanted) != nullptr; }

  // Nothing when the key is absent; a value of the wrong type is still an error.
  template <class T>
  [[nodiscard]] std::optional<T> find(std::string_view wanted) const {
    const GgufEntry* found = entry(wanted);
    if (!found) return std::nullopt;
    return decode<T>(*found);
  }
  template <class T>
  [[nodiscard]] T get(std::string_view wanted) const {
    if (const GgufEntry* found = entry(wanted)) return decode<T>(*found);
    throw ModelError("missing_key", {.file = file_, .field = std::string(wanted)}, "the key is absent");
  }

 private:
  [[noreturn]] void refuse(const GgufEntry& e, const char* code, const std::string& reason) const {
    throw ModelError(
        code, {.file = file_, .offset = e.value_offset, .has_offset = true, .field = std::string(key(e))},
        reason);
  }
  template <class T>
  T decode(const GgufEntry& e) const {
    if constexpr (is_gguf_list<T>) {
      using Element = typename T::value_type;
      if (e.type != GgufType::ARRAY) refuse(e, "type", "it must be an array");
      T values;
      values.reserve(static_cast<std::size_t>(e.count));
      std::uint64_t at = e.value_offset;
      for (std::uint64_t i = 0; i < e.count; ++i)
        values.push_back(static_cast<Element>(element<Element>(e, at)));
      return values;
    } else {
      if (e.type == GgufType::ARRAY) refuse(e, "type", "it must be a single value, not an array");
      std::uint64_t at = e.value_offset;
      return element<T>(e, at);
    }
  }
  // The element at byte `at`, which moves past it.
  template <class T>
  T element(const GgufEntry& e, std::uint64_t& at) const {
    if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
      if (e.element != GgufType::STRING) refuse_type(e, "string");
      const auto length = raw<std::uint64_t>(at);
      at += length;
      return T(std::string_view(bytes_).substr(static_cast<std::size_t>(at - length), length));
    } else if constexpr (std::same_as<T, bool>) {
      if (e.element != GgufType::BOOL) refuse_type(e, "bool");
      return raw<std::uint8_t>(at) != 0;
    } else if constexpr (std::floating_point<T>) {
      if (e.element == GgufType::F32) return static_cast<T>(raw<float>(at));
      if (e.element == GgufType::F64) return static_cast<T>(raw<double>(at));
      refuse_type(e, "float");
    } else {
      static_assert(std::integral<T>, "GGUF holds integers, floats, bools, strings, and arrays of them");
      switch (e.element) {
        case GgufType::U8:
          return fit<T>(e, raw<std::uint8_t>(at));
        case GgufType::I8:
          return fit<T>(e, raw<std::int8_t>(at));
        case GgufType::U16:
          return fit<T>(e, raw<std::uint16_t>(at));
        case GgufType::I16:
          return fit<T>(e, raw<std::int16_t>(at));
        case GgufType::U32:
          return fit<T>(e, raw<std::uint32_t>(at));
        case GgufType::I32:
          return fit<T>(e, raw<std::int32_t>(at));
        case GgufType::U64:
          return fit<T>(e, raw<std::uint64_t>(at));
        case GgufType::I64:
          return fit<T>(e, raw<std::int64_t>(at));
        default:
          refuse_type(e, "integer");
      }
    }
  }
  [[noreturn]] void refuse_type(const GgufEntry& e, const char* wanted) const {
    refuse(e, "type", "it is of type " + std::string(gguf_type_name(e.element)) + ", needed is " + wanted);
  }
  template <class To, class From>
  To fit(const GgufEntry& e, From value) const {
    const auto fitting = narrow<To>(value);
    if (!fitting) refuse(e, "range", "the value " + std::to_string(value) + " is out of range");
    return *fitting;
  }
  template <class T>
  T raw(std::uint64_t& at) const noexcept {
    T value;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    at += sizeof value;
    return value;
  }

  std::string file_;
  std::string bytes_;
  std::vector<GgufEntry> entries_;  // by key
};

}  // namespace solopo::io
