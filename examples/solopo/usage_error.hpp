// A wrong option or configuration: exit code 2.
#pragma once

#include "solopo/core/error.hpp"

namespace solopo::cli {

class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace solopo::cli
