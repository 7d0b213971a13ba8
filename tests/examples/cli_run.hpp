// Runs the program as a user does.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <string>

#include "catch.hpp"

struct Outcome {
  int code = -1;
  std::string text;  // standard output and error
};

inline Outcome run_shell(const std::string& command) {
  Outcome out;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> part{};
  while (const std::size_t n = std::fread(part.data(), 1, part.size(), pipe)) out.text.append(part.data(), n);
  const int status = ::pclose(pipe);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return out;
}

inline Outcome solopo_run(const std::string& arguments) {
  return run_shell("NO_COLOR=1 '" SOLOPO_PROGRAM "' " + arguments);
}

inline bool has(const Outcome& outcome, const std::string& text) {
  return outcome.text.find(text) != std::string::npos;
}
