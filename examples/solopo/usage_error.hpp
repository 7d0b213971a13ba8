// A wrong option or a wrong combination of options: exit code 2 of the program.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "solopo/core/closest_name.hpp"
#include "solopo/core/error.hpp"

namespace solopo::cli {

class UsageError : public Error {
 public:
  using Error::Error;
};

// "--flag: 'x' is not known; did you mean 'y'? (known: y, z)".
template <class Names>
[[nodiscard]] std::string unknown_value(std::string_view flag, std::string_view value, const Names& known) {
  return std::string(flag) + ": '" + printable(std::string(value)) + "' is not known" +
         suggestion(value, known);
}

// Whether a value is known; if not, problem(text) is called.
template <class Names, class Problem>
bool one_of(std::string_view flag, std::string_view value, const Names& known, Problem&& problem) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return true;
  problem(unknown_value(flag, value, known));
  return false;
}

}  // namespace solopo::cli
