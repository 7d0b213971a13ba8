// One process at a time.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "solopo/core/error.hpp"
#include "solopo/io/system_calls.hpp"

namespace solopo::io {

// Whether the open file has no name any more.
[[nodiscard]] inline bool was_removed(int descriptor) noexcept {
  struct ::stat file {};
  return ::fstat(descriptor, &file) == 0 && file.st_nlink == 0;
}

// Holds the lock on a file, which is made where there is none, until it is destroyed or the process ends,
// however it ends. The file stays; only the lock on it counts.
class FileLock {
 public:
  // Throws Error(`held`) when it is locked already, IoError when the file cannot be opened.
  FileLock(const std::filesystem::path& path, const std::string& held) {
    const std::string name = path.string();
    // A holder may remove the file before it lets go: then the lock is on a file that nobody else will find.
    do {
      close();
      descriptor_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
      if (descriptor_ < 0) throw_io_error("open", name, errno);
      if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        const int error = errno;
        close();
        if (error == EWOULDBLOCK) throw Error(held);
        throw_io_error("lock", name, error);
      }
    } while (was_removed(descriptor_));
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() { close(); }

 private:
  void close() noexcept {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

  int descriptor_ = -1;
};

}  // namespace solopo::io
