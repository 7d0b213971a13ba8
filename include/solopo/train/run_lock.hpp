// One process at a time writes into a run's folder.
#pragma once

#include <filesystem>

#include "solopo/io/file_lock.hpp"

namespace solopo {

// Holds `folder`/.lock until it is destroyed or the process ends, however it ends.
class RunLock {
 public:
  // Throws Error when another process holds it, IoError when the file cannot be opened.
  explicit RunLock(const std::filesystem::path& folder)
      : lock_(folder / ".lock", "another process is training into " + folder.string() +
                                    "; wait for it to end, or choose another output folder") {}

 private:
  io::FileLock lock_;
};

}  // namespace solopo
