// The fixtures of tests/golden/tokenizer: reading them, and making again the texts that they hold only hashes
// of.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "solopo/core/random.hpp"
#include "solopo/io/utf8.hpp"
#include "solopo/text/tokenizer.hpp"

namespace solopo::test {

using Ids = std::vector<std::int32_t>;

inline std::filesystem::path tokenizer_golden(const std::string& name) {
  return std::filesystem::path(SOLOPO_SOURCE_DIR) / "tests" / "golden" / "tokenizer" / name;
}

inline std::vector<nlohmann::json> read_lines(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("no fixture " + path.string());
  std::vector<nlohmann::json> out;
  for (std::string line; std::getline(in, line);) out.push_back(nlohmann::json::parse(line));
  return out;
}

// FNV-1a over the ids as four little-endian bytes each, every list ended by ff ff ff ff.
class IdHash {
 public:
  void add(std::span<const std::int32_t> ids) {
    for (const std::int32_t id : ids) put(static_cast<std::uint32_t>(id));
    put(0xffffffffu);
  }
  [[nodiscard]] std::string hex() const {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (int shift = 60; shift >= 0; shift -= 4) out += digits[(hash_ >> shift) & 15];
    return out;
  }

 private:
  void put(std::uint32_t word) {
    for (int shift = 0; shift < 32; shift += 8) hash_ = (hash_ ^ ((word >> shift) & 0xff)) * 0x100000001b3ULL;
  }
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

// Text `index` of the random texts: printable characters, code points of all planes, strings of the
// vocabulary, or awkward snippets from `pool`. script/golden/tokenizer.py makes the same.
inline std::string random_text(std::uint64_t index, const text::Tokenizer& tokenizer,
                               const std::vector<std::string>& pool) {
  RandomStream random(1, "tokenizer text", index);
  std::string out;
  switch (index % 4) {
    case 0:
      for (auto n = 1 + random.below(24); n > 0; --n) {
        const auto c = random.below(98);
        out += c >= 95 ? "\t\n\r"[c - 95] : static_cast<char>(0x20 + c);
      }
      break;
    case 1:
      for (auto n = 1 + random.below(12); n > 0; --n) {
        static constexpr std::array<std::uint64_t, 4> limits = {0x300, 0x3000, 0x20000, 0x110000};
        const auto limit = limits[random.below(4)];
        const auto c = random.below(limit);
        io::append_utf8(out, c >= 0xd800 && c < 0xe000 ? U'x' : static_cast<char32_t>(c));
      }
      break;
    case 2:
      for (auto n = 1 + random.below(6); n > 0; --n) {
        const auto id = random.below(static_cast<std::uint64_t>(tokenizer.vocab_size()));
        const std::string& bytes = tokenizer.token_bytes(static_cast<std::int32_t>(id));
        if (!io::find_invalid_utf8(bytes)) out += bytes;
      }
      break;
    default:
      for (auto n = 1 + random.below(12); n > 0; --n) out += pool[random.below(pool.size())];
  }
  return out;
}

}  // namespace solopo::test
