// What memory this machine gives a program.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>

namespace solopo::cli {

struct MachineMemory {
  std::int64_t total = 0;      // bytes: installed, or the limit of the container when that is less
  std::int64_t available = 0;  // bytes that could be had at this moment, by the kernel's own estimate
};

inline MachineMemory machine_memory() {
  MachineMemory out;
  out.total = std::int64_t(::sysconf(_SC_PHYS_PAGES)) * std::int64_t(::sysconf(_SC_PAGE_SIZE));
  // Control groups of version 2 and 1; without a limit the file says "max" or a number past all memory.
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream in(path);
    if (std::int64_t limit = 0; in >> limit && limit > 0) out.total = std::min(out.total, limit);
  }
  out.available = out.total;
  std::ifstream info("/proc/meminfo");
  for (std::string key; info >> key;) {
    std::int64_t kib = 0;
    if (key == "MemAvailable:" && info >> kib) out.available = std::min(out.total, kib * 1024);
    info.ignore(256, '\n');
  }
  return out;
}

}  // namespace solopo::cli
