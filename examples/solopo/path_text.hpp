// Paths as text for JSON, which holds UTF-8 only.
#pragma once

#include <filesystem>
#include <string>

#include "solopo/io/utf8.hpp"

namespace solopo::cli {

// Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] inline std::string path_text(const std::filesystem::path& path) {
  return io::replace_invalid_utf8(path.string()).text;
}

}  // namespace solopo::cli
