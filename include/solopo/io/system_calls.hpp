// The calls to the operating system that a writer makes, behind one small class: a test passes its own and
// makes the Nth call fail, which no full disk does so reliably.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>

#include "solopo/core/error.hpp"

namespace solopo::io {

// Each function is the call of its name: -1 and errno on failure.
class SystemCalls {
 public:
  SystemCalls() = default;
  SystemCalls(const SystemCalls&) = delete;
  SystemCalls& operator=(const SystemCalls&) = delete;
  virtual ~SystemCalls() = default;

  virtual int open(const char* path, int flags, ::mode_t mode) { return ::open(path, flags, mode); }
  virtual ::ssize_t write(int descriptor, const void* data, std::size_t bytes) {
    return ::write(descriptor, data, bytes);
  }
  virtual int fsync(int descriptor) { return ::fsync(descriptor); }
  virtual int ftruncate(int descriptor, ::off_t bytes) { return ::ftruncate(descriptor, bytes); }
  virtual int flock(int descriptor, int operation) { return ::flock(descriptor, operation); }
  virtual int close(int descriptor) { return ::close(descriptor); }
  virtual int rename(const char* from, const char* to) { return std::rename(from, to); }
  virtual int unlink(const char* path) { return ::unlink(path); }
};

// The real ones.
[[nodiscard]] inline SystemCalls& default_system_calls() {
  static SystemCalls calls;
  return calls;
}

[[noreturn]] inline void throw_io_error(const std::string& operation, const std::string& path,
                                        int error_number) {
  throw IoError(operation, path, error_number, std::strerror(error_number));
}

// Writes all bytes, however many calls that takes. Throws IoError; a call that writes nothing counts as a
// full disk.
inline void write_all(SystemCalls& calls, int descriptor, const std::string& path, const void* data,
                      std::size_t bytes) {
  constexpr std::size_t most_at_once = std::size_t{1} << 30;  // Linux writes at most 2 GiB - 4 KiB a call
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ::ssize_t done = calls.write(descriptor, at, bytes < most_at_once ? bytes : most_at_once);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) throw_io_error("write", path, errno);
    if (done == 0) throw_io_error("write", path, ENOSPC);
    at += done;
    bytes -= static_cast<std::size_t>(done);
  }
}

}  // namespace solopo::io
