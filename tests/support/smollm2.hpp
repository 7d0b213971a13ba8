// Where SmolLM2-135M-Instruct's weights are, when they are here. Tests that need them are skipped by name
// otherwise.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "catch.hpp"

namespace solopo::test {

// $SOLOPO_SMOLLM2, else SmolLM2-135M-Instruct.Q4_1.gguf in $SOLOPO_CACHE or ~/.cache/solopo.
inline std::optional<std::filesystem::path> smollm2() {
  std::filesystem::path path;
  if (const char* file = std::getenv("SOLOPO_SMOLLM2")) {
    path = file;
  } else {
    if (const char* cache = std::getenv("SOLOPO_CACHE"))
      path = cache;
    else if (const char* home = std::getenv("HOME"))
      path = std::filesystem::path(home) / ".cache" / "solopo";
    path /= "SmolLM2-135M-Instruct.Q4_1.gguf";
  }
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path;
}

}  // namespace solopo::test
