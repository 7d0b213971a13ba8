// Writing a file so that its name always shows either the old content or the whole new one: a temporary file
// in the same folder, then write, fsync, rename, fsync of the folder.
#pragma once

#include <signal.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "solopo/io/file_lock.hpp"
#include "solopo/io/sha256.hpp"
#include "solopo/io/system_calls.hpp"

namespace solopo::io {

struct AtomicFileOptions {
  bool digest = false;           // keep a running SHA-256 of what is written
  SystemCalls* calls = nullptr;  // unset: the real ones
};

// What commit() put in place.
struct WrittenFile {
  std::uint64_t bytes = 0;
  std::string sha256;  // 64 hex digits, empty unless asked for
};

// Opens the temporary at once, so a path that cannot be written fails before any work is done. Without
// commit() the temporary is removed and the old file stays. Every failure is an IoError; after one the object
// only removes its temporary. A symbolic link at `path` is kept and its target replaced.
// A failure to close the file or to sync the folder, the last steps, is reported too, though the whole new
// file is then in place.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path, AtomicFileOptions options = {})
      : calls_(options.calls ? *options.calls : default_system_calls()), with_digest_(options.digest) {
    std::error_code error;
    target_ = path;
    if (std::filesystem::is_symlink(path, error)) {
      target_ = std::filesystem::canonical(path, error);
      if (error) throw_io_error("write", path.string(), error.value());
    }
    const auto kind = std::filesystem::status(target_, error).type();
    if (target_.filename().empty() || kind == std::filesystem::file_type::directory) {
      throw_io_error("write", path.string(), EISDIR);
    }
    if (kind != std::filesystem::file_type::not_found && kind != std::filesystem::file_type::regular) {
      throw IoError("write", path.string(), EINVAL, "it is not a regular file");
    }
    folder_ = target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
    const std::string stem = "." + target_.filename().string().substr(0, 200) + ".";
    remove_leftovers(stem);
    create_temporary(stem);
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() { abandon(); }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return target_; }
  [[nodiscard]] std::uint64_t bytes_written() const noexcept { return bytes_; }

  // Large payloads come in as many calls as the caller likes; small writes are gathered.
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  void write(std::span<const std::byte> bytes) { write(bytes.data(), bytes.size()); }
  void write(const void* data, std::size_t bytes) {
    require_open();
    if (with_digest_) digest_.update(data, bytes);
    if (pending_.size() + bytes > pending_limit) flush();
    if (bytes >= pending_limit) {
      write_through(data, bytes);
    } else if (bytes > 0) {
      pending_.append(static_cast<const char*>(data), bytes);
    }
    bytes_ += bytes;
  }

  // Puts the new file in place; it may be called once.
  WrittenFile commit() {
    require_open();
    flush();
    const std::string name = target_.string();
    if (retry([&] { return calls_.fsync(descriptor_); }) != 0) fail("sync", name, errno);
    const int folder = calls_.open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (folder < 0) fail("open the folder of", name, errno);
    if (calls_.rename(temporary_.c_str(), target_.c_str()) != 0) {
      const int number = errno;
      calls_.close(folder);
      fail("rename the new file to", name, number);
    }
    temporary_.clear();
    const int closed = calls_.close(std::exchange(descriptor_, -1));  // its lock had to outlive the temporary
    const int close_error = closed != 0 && errno != EINTR ? errno : 0;  // after EINTR Linux has closed it
    const int synced = retry([&] { return calls_.fsync(folder); });
    const int sync_error = synced != 0 ? errno : 0;
    calls_.close(folder);
    if (close_error != 0) throw_io_error("close", name, close_error);
    if (sync_error != 0) throw_io_error("sync the folder of", name, sync_error);
    return {bytes_, with_digest_ ? digest_.hex() : std::string()};
  }

  // Removes the temporary; the old file stays. The destructor does this too.
  void abandon() noexcept {
    if (!temporary_.empty()) calls_.unlink(temporary_.c_str());
    temporary_.clear();
    if (descriptor_ >= 0) calls_.close(std::exchange(descriptor_, -1));
  }

 private:
  static constexpr std::size_t pending_limit = std::size_t{1} << 16;

  template <class Call>
  static int retry(Call call) {
    int result;
    do {
      result = call();
    } while (result != 0 && errno == EINTR);
    return result;
  }
  void require_open() const {
    if (descriptor_ < 0) throw IoError("write", target_.string(), EBADF, "the file is already closed");
  }
  [[noreturn]] void fail(const char* operation, const std::string& name, int number) {
    abandon();
    throw_io_error(operation, name, number);
  }
  void write_through(const void* data, std::size_t bytes) {
    try {
      write_all(calls_, descriptor_, target_.string(), data, bytes);
    } catch (...) {
      abandon();
      throw;
    }
  }
  void flush() {
    if (!pending_.empty()) write_through(pending_.data(), pending_.size());
    pending_.clear();
  }

  // ".NAME.PID-N.tmp", locked while it is written; where the system has no locks, it is left unlocked.
  void create_temporary(const std::string& stem) {
    static std::atomic<std::uint64_t> count{0};
    for (;;) {
      temporary_ =
          (folder_ / (stem + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".tmp")).string();
      descriptor_ = calls_.open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ < 0) {
        const int number = errno;
        temporary_.clear();
        if (number == EEXIST) continue;  // of a process with the same number, killed or in another container
        throw_io_error("create a file for", target_.string(), number);
      }
      const bool locked_by_other = calls_.flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
      if (!locked_by_other && !was_removed(descriptor_)) return;
      calls_.close(std::exchange(descriptor_, -1));  // a remover of leftovers came before the lock
    }
  }

  // A killed run leaves its temporary behind: one that nobody has locked or, where the system has no locks,
  // whose process is gone.
  void remove_leftovers(const std::string& stem) noexcept {
    std::error_code error;
    std::filesystem::directory_iterator entry(folder_, error), end;
    for (; !error && entry != end; entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (name.size() <= stem.size() + 4 || !name.starts_with(stem) || !name.ends_with(".tmp")) continue;
      char* after = nullptr;
      const long process = std::strtol(name.c_str() + stem.size(), &after, 10);
      if (process <= 0 || *after != '-') continue;
      const int leftover =
          calls_.open(entry->path().c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
      if (leftover < 0) continue;
      bool abandoned = calls_.flock(leftover, LOCK_EX | LOCK_NB) == 0;
      if (!abandoned && errno != EWOULDBLOCK)
        abandoned = ::kill(static_cast<::pid_t>(process), 0) != 0 && errno == ESRCH;
      if (abandoned) calls_.unlink(entry->path().c_str());
      calls_.close(leftover);
    }
  }

  SystemCalls& calls_;
  std::filesystem::path target_, folder_;
  std::string temporary_;  // empty: nothing to remove
  int descriptor_ = -1;
  std::string pending_;
  std::uint64_t bytes_ = 0;
  bool with_digest_ = false;
  Sha256 digest_;
};

// The whole content at once.
inline WrittenFile write_file(const std::filesystem::path& path, std::string_view content,
                              AtomicFileOptions options = {}) {
  AtomicFile file(path, options);
  file.write(content);
  return file.commit();
}

}  // namespace solopo::io
