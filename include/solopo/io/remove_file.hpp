// Removing a file that may be there.
#pragma once

#include <filesystem>
#include <system_error>

#include "solopo/core/error.hpp"

namespace solopo::io {

// Does nothing where there is no such file. Throws IoError.
inline void remove_file(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) throw IoError("remove", path.string(), error.value(), error.message());
}

}  // namespace solopo::io
