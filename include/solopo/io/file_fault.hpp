// Whose fault a bad file is: the caller of a reader says whether the file is data (exit code 3 of the
// programs) or part of a model (4), and the reader throws the error of that kind.
#pragma once

#include <string>
#include <utility>

#include "solopo/core/error.hpp"

namespace solopo::io {

enum class FileRole { data, model };

// Throws DataError or ModelError.
[[noreturn]] inline void throw_fault(FileRole role, std::string code, FilePosition where,
                                     const std::string& reason) {
  if (role == FileRole::data) throw DataError(std::move(code), std::move(where), reason);
  throw ModelError(std::move(code), std::move(where), reason);
}

}  // namespace solopo::io
