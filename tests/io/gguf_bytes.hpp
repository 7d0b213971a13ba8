// A GGUF file written field by field, right or wrong as a test wants it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "solopo/io/gguf_metadata.hpp"
#include "test_files.hpp"

namespace solopo::test {

struct GgufBytes {
  std::uint32_t magic = 0x46554747, version = 3;
  std::uint64_t extra_tensors = 0, extra_keys = 0;  // added to the true counts, modulo 2^64
  std::uint64_t alignment = 32;                     // of the data
  Bytes keys, table;
  std::uint64_t key_count = 0, tensor_count = 0;
  std::string data;

  // A key and its type; the value follows in `keys`.
  Bytes& key(std::string_view name, std::uint32_t type) {
    ++key_count;
    return keys.string(name).put(type);
  }
  Bytes& key(std::string_view name, io::GgufType type) { return key(name, static_cast<std::uint32_t>(type)); }
  Bytes& array(std::string_view name, io::GgufType element, std::uint64_t count) {
    return key(name, io::GgufType::ARRAY).put(element).put(count);
  }
  GgufBytes& tensor(std::string_view name, const std::vector<std::int64_t>& dims, std::uint32_t type,
                    std::uint64_t offset) {
    ++tensor_count;
    table.string(name).put(static_cast<std::uint32_t>(dims.size()));
    for (const std::int64_t dim : dims) table.put(dim);
    table.put(type).put(offset);
    return *this;
  }
  [[nodiscard]] std::string text() const {
    Bytes out;
    out.put(magic).put(version).put(tensor_count + extra_tensors).put(key_count + extra_keys);
    out.raw(keys.text).raw(table.text);
    while (out.text.size() % alignment != 0) out.text += '\0';
    return out.raw(data).text;
  }
};

}  // namespace solopo::test
