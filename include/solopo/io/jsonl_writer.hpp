// Writes JSON lines: a new file at once (JsonlWriter) or a growing log (JsonlAppender).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "solopo/io/atomic_file.hpp"
#include "solopo/io/input_file.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/refuse_fast_math.hpp"

namespace solopo::io {

// The line of a record, without newline: NaN and infinities become null and the record then gains
// "nonfinite": true. Throws ArgumentError when it is not an object.
[[nodiscard]] inline std::string jsonl_line(Json record) {
  if (!record.is_object()) throw ArgumentError("record", "a JSON line is an object");
  if (null_nonfinite(record)) record["nonfinite"] = true;
  return dump_json(record);
}

// Nothing appears at `path` before commit().
class JsonlWriter {
 public:
  explicit JsonlWriter(const std::filesystem::path& path, AtomicFileOptions options = {})
      : file_(path, options) {}
  void write(const Json& record) {
    file_.write(jsonl_line(record) + "\n");
    ++records_;
  }
  WrittenFile commit() { return file_.commit(); }
  [[nodiscard]] std::uint64_t records() const noexcept { return records_; }

 private:
  AtomicFile file_;
  std::uint64_t records_ = 0;
};

// Adds lines to the end of a file, each in the file when write() returns. A half line left by a killed run is
// cut off on opening; a write that fails (IoError) leaves no half line.
class JsonlAppender {
 public:
  explicit JsonlAppender(const std::filesystem::path& path, SystemCalls& calls = default_system_calls())
      : calls_(calls), name_(path.string()) {
    std::error_code error;
    const bool exists = std::filesystem::exists(path, error);
    if (exists) size_ = end_of_last_line(InputFile(path, FileRole::data));
    descriptor_ = calls_.open(name_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor_ < 0) throw_io_error("open", name_, errno);
    if (exists && calls_.ftruncate(descriptor_, static_cast<::off_t>(size_)) != 0) {
      const int number = errno;
      calls_.close(std::exchange(descriptor_, -1));
      throw_io_error("cut a half line off", name_, number);
    }
  }
  JsonlAppender(const JsonlAppender&) = delete;
  JsonlAppender& operator=(const JsonlAppender&) = delete;
  ~JsonlAppender() {
    if (descriptor_ >= 0) calls_.close(descriptor_);
  }

  void write(const Json& record) {
    const std::string line = jsonl_line(record) + "\n";
    try {
      write_all(calls_, descriptor_, name_, line.data(), line.size());
    } catch (const IoError&) {
      static_cast<void>(calls_.ftruncate(descriptor_, static_cast<::off_t>(size_)));
      throw;
    }
    size_ += line.size();
  }
  // Takes all lines away.
  void clear() {
    if (calls_.ftruncate(descriptor_, 0) != 0) throw_io_error("empty", name_, errno);
    size_ = 0;
  }
  // On disk, and not only in the system's cache.
  void sync() {
    if (calls_.fsync(descriptor_) != 0) throw_io_error("sync", name_, errno);
  }

 private:
  // Bytes up to and with the last newline.
  static std::uint64_t end_of_last_line(const InputFile& file) {
    std::string part(std::size_t{1} << 16, '\0');
    std::uint64_t end = file.size();
    while (end > 0) {
      const std::uint64_t begin = end > part.size() ? end - part.size() : 0;
      const auto bytes = static_cast<std::size_t>(end - begin);
      file.read_exact(begin, part.data(), bytes);
      const std::size_t newline = part.rfind('\n', bytes - 1);
      if (newline != part.npos) return begin + newline + 1;
      end = begin;
    }
    return 0;
  }

  SystemCalls& calls_;
  std::string name_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;  // of whole lines
};

}  // namespace solopo::io
