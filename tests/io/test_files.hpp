// What the tests of readers and writers share: a folder that is removed at the end, files of given bytes, the
// code of the error a call ends with, and byte strings written field by field.
#pragma once

#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "sanitized.hpp"
#include "solopo/core/error.hpp"

namespace solopo::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "solopo-io-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  // Writes a file without the library under test.
  [[nodiscard]] std::filesystem::path file(std::string_view name, std::string_view bytes) const {
    const auto path = path_ / name;
    std::error_code ignored;
    std::filesystem::remove(path, ignored);  // ext4 syncs a file that is cut to nothing and written again
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path;
  }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path path_;
};

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The code of the FileError that `call` throws, "none" if it returns; other exceptions pass through.
template <class Call>
std::string code_of(Call call) {
  try {
    call();
  } catch (const FileError& error) {
    return error.code();
  }
  return "none";
}

// Seconds of processor time of this thread, so that other work on the machine does not count. Sanitizers make
// everything several times slower; the limits are for builds without.
class CpuTimer {
 public:
  [[nodiscard]] double seconds() const { return (now() - start_) / slowdown; }

 private:
#if SOLOPO_TEST_SANITIZED || !defined(__OPTIMIZE__)
  static constexpr double slowdown = 20;
#else
  static constexpr double slowdown = 1;
#endif
  static double now() {
    ::timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
  double start_ = now();
};

// Little-endian fields, one after the other.
struct Bytes {
  std::string text;
  template <class T>
  Bytes& put(T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    text.append(raw, sizeof(T));
    return *this;
  }
  Bytes& raw(std::string_view bytes) {
    text += bytes;
    return *this;
  }
  // A GGUF string: 8 bytes of length, then the bytes.
  Bytes& string(std::string_view bytes) { return put(std::uint64_t{bytes.size()}).raw(bytes); }
};

}  // namespace solopo::test
