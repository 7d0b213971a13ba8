// Files of JSON records as users have them: whole files in, and clear words about those that are no such
// thing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "record_slices.hpp"
#include "solopo/core/error.hpp"
#include "solopo/io/input_file.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/sha256.hpp"
#include "solopo/io/utf8.hpp"

namespace solopo::cli {

constexpr std::size_t max_record_bytes = std::size_t{64} << 20;
constexpr std::uint64_t max_text_file_bytes = std::uint64_t{4} << 30;

// All bytes of a file. DataError: missing, a folder, a pipe, compressed, too large.
inline std::string read_text_file(const std::filesystem::path& path) {
  return io::read_file(path, io::FileRole::data, max_text_file_bytes);
}

// DataError "empty" for nothing but white space.
inline void require_text(std::string_view bytes, const std::string& name) {
  if (bytes.substr(0, 3) == "\xef\xbb\xbf") bytes.remove_prefix(3);
  if (trim_json_blanks(bytes).empty())
    throw DataError("empty", {.file = name, .field = {}}, "the file is empty");
}

// One JSON value. DataError with file and line.
inline io::Json parse_record(std::string_view text, const std::string& name, std::uint64_t line,
                             std::size_t max_bytes = max_record_bytes) {
  return io::parse_json(text, {.file = name, .line = line}, {.max_bytes = max_bytes, .allow_nul = false});
}

// What an error says, without the place and the code around it.
inline std::string reason_of(const FileError& error) {
  std::string reason = error.what();
  const std::string head = error.where().describe() + ": ", tail = " [" + error.code() + "]";
  if (reason.compare(0, head.size(), head) == 0) reason.erase(0, head.size());
  if (reason.size() >= tail.size()) reason.erase(reason.size() - tail.size());
  return reason;
}

}  // namespace solopo::cli
