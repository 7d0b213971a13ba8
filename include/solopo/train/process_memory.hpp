// The most memory this process has held.
#pragma once

#include <sys/resource.h>

namespace solopo {

// Bytes; 0 where the system does not tell.
[[nodiscard]] inline double peak_process_bytes() noexcept {
  struct ::rusage usage {};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<double>(usage.ru_maxrss) * 1024.0;  // Linux counts in KiB
}

}  // namespace solopo
