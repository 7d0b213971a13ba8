// A wrong option or a wrong combination of options: exit code 2 of the program.
#pragma once

#include "solopo/core/error.hpp"

namespace solopo::cli {

class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace solopo::cli
