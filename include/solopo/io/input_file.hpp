// Reading: a regular file opened once, its size asked once, bytes read at a position. Files are read, not
// mapped, because a file that is cut while mapped kills the program.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "solopo/io/file_fault.hpp"
#include "solopo/io/sha256.hpp"

namespace solopo::io {

// Throws DataError or ModelError with the code missing, unreadable, folder, not_regular or compressed; the
// same kind with "truncated" when the file became shorter while it was read; IoError when the system fails to
// read.
class InputFile {
 public:
  InputFile(const std::filesystem::path& path, FileRole role) : name_(path.string()), role_(role) {
    // O_NONBLOCK: opening a pipe must not wait for its writer.
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor_ < 0) {
      const bool missing = errno == ENOENT || errno == ENOTDIR;
      fault(missing ? "missing" : "unreadable", missing ? "there is no such file" : std::strerror(errno));
    }
    struct ::stat status {};
    const bool known = ::fstat(descriptor_, &status) == 0;
    if (!known || !S_ISREG(status.st_mode)) {
      ::close(std::exchange(descriptor_, -1));
      if (!known) fault("unreadable", "its size cannot be told");
      if (S_ISDIR(status.st_mode)) fault("folder", "it is a folder, a file is needed");
      fault("not_regular", "it is a pipe or a device; write its content to a regular file first");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
  InputFile(InputFile&& other) noexcept
      : name_(std::move(other.name_)),
        role_(other.role_),
        descriptor_(std::exchange(other.descriptor_, -1)),
        size_(other.size_) {}
  InputFile& operator=(InputFile&& other) noexcept {
    std::swap(name_, other.name_);
    std::swap(role_, other.role_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~InputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] FileRole role() const noexcept { return role_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }  // bytes, when it was opened

  // Reads up to `bytes`; fewer only at the end of the file. Safe from several threads at once.
  std::size_t read_some(std::uint64_t offset, void* out, std::size_t bytes) const {
    std::size_t done = 0;
    while (done < bytes) {
      const ::ssize_t n = ::pread(descriptor_, static_cast<char*>(out) + done, bytes - done,
                                  static_cast<::off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw IoError("read", name_, errno, std::strerror(errno));
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }
  // All of it, or "truncated".
  void read_exact(std::uint64_t offset, void* out, std::size_t bytes) const {
    if (read_some(offset, out, bytes) == bytes) return;
    fault("truncated", "the file ends before byte " + std::to_string(offset + bytes), offset);
  }

  [[noreturn]] void fault(const char* code, const std::string& reason) const {
    throw_fault(role_, code, {.file = name_, .field = {}}, reason);
  }
  [[noreturn]] void fault(const char* code, const std::string& reason, std::uint64_t offset,
                          std::string_view field = {}) const {
    throw_fault(role_, code,
                {.file = name_, .offset = offset, .has_offset = true, .field = std::string(field)}, reason);
  }

  // For text readers: a compressed file would only show as bad text.
  void refuse_compressed() const {
    std::array<char, 6> head{};
    const std::string_view start(head.data(), read_some(0, head.data(), head.size()));
    const auto refuse = [&](std::string_view magic, const char* kind, const char* tool) {
      if (!start.starts_with(magic)) return;
      fault("compressed", std::string("it is compressed (") + kind + "); unpack it first: " + tool);
    };
    refuse("\x1f\x8b", "gzip", "gunzip");
    refuse("\x28\xb5\x2f\xfd", "zstd", "unzstd");
    refuse(
        "\xfd"
        "7zXZ",
        "xz", "unxz");
    refuse("PK\x03\x04", "zip", "unzip");
  }

 private:
  std::string name_;
  FileRole role_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

// The whole file, if it has at most `max_bytes`; otherwise the code "too_large". Text only: refuses
// compressed files.
[[nodiscard]] inline std::string read_file(const std::filesystem::path& path, FileRole role,
                                           std::uint64_t max_bytes) {
  const InputFile file(path, role);
  file.refuse_compressed();
  if (file.size() > max_bytes) {
    file.fault("too_large", "it has " + std::to_string(file.size()) + " bytes, at most " +
                                std::to_string(max_bytes) + " are read");
  }
  std::string content(static_cast<std::size_t>(file.size()), '\0');
  content.resize(file.read_some(0, content.data(), content.size()));
  return content;
}

// SHA-256 of a file of any size, in hex.
[[nodiscard]] inline std::string sha256_file(const std::filesystem::path& path, FileRole role) {
  const InputFile file(path, role);
  std::string part(std::size_t{1} << 20, '\0');
  Sha256 hash;
  std::uint64_t offset = 0;
  while (const std::size_t n = file.read_some(offset, part.data(), part.size())) {
    hash.update(part.data(), n);
    offset += n;
  }
  return hash.hex();
}

}  // namespace solopo::io
