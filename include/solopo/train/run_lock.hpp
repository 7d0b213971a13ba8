// One process at a time writes into a run's folder.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include "solopo/core/error.hpp"

namespace solopo {

// Holds `folder`/.lock until it is destroyed or the process ends, however it ends. The file stays; only the
// lock on it counts.
class RunLock {
 public:
  // Throws Error when another process holds it, IoError when the file cannot be opened.
  explicit RunLock(const std::filesystem::path& folder) : path_((folder / ".lock").string()) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0) throw IoError("open", path_, errno, std::strerror(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      ::close(descriptor_);
      if (error == EWOULDBLOCK) {
        throw Error("another process is training into " + folder.string() +
                    "; wait for it to end, or choose another output folder");
      }
      throw IoError("lock", path_, error, std::strerror(error));
    }
  }
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock() { ::close(descriptor_); }

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace solopo
