// The errors the library throws. Each says what is wrong, where, why, and what to do; none is thrown for
// anything else than its own subject, so a program can map them to exit codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace solopo {

// The root of all of them.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A wrong argument to a public function: shape, range, or a value that is not finite.
class ArgumentError : public Error {
 public:
  ArgumentError(std::string argument, const std::string& reason)
      : Error(argument + ": " + reason), argument_(std::move(argument)) {}
  ArgumentError(std::string argument, std::size_t index, const std::string& reason)
      : Error(argument + "[" + std::to_string(index) + "]: " + reason),
        argument_(std::move(argument)),
        index_(index) {}
  [[nodiscard]] const std::string& argument() const noexcept { return argument_; }
  [[nodiscard]] std::size_t index() const noexcept { return index_; }

 private:
  std::string argument_;
  std::size_t index_ = 0;
};

// A line, byte or field of an input file.
struct FilePosition {
  std::string file{};        // as the user wrote it
  std::uint64_t line = 0;    // 1-based, 0: not a text file or not known
  std::uint64_t offset = 0;  // bytes from the start of the file, meaningful when has_offset
  bool has_offset = false;
  std::string field{};  // tensor, key or JSON member, empty: the whole file

  // "file:12, field 'answer'" or "file, byte 40, tensor 'x'".
  [[nodiscard]] std::string describe() const;
};

// Bytes of the UTF-8 character that `text`, which is not empty, begins with; 0 where it is none or one that a
// terminal obeys instead of showing it: C0 and C1 controls, and those of the direction of writing.
[[nodiscard]] inline std::size_t shown_character(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  if (first < 0xc2 || first > 0xf4) return 0;
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (bytes > text.size()) return 0;
  char32_t point = first & (0x7fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0u) != 0x80) return 0;
    point = (point << 6) | (byte(i) & 0x3fu);
  }
  const auto among = [&](char32_t from, char32_t to) { return point >= from && point <= to; };
  const bool longer_than_needed = (bytes == 3 && point < 0x800) || (bytes == 4 && point < 0x10000);
  if (longer_than_needed || among(0xd800, 0xdfff) || point > 0x10ffff) return 0;
  const bool control = point < 0xa0 || point == 0x61c || among(0x200e, 0x200f) || among(0x202a, 0x202e) ||
                       among(0x2066, 0x2069);
  return control ? 0 : bytes;
}

// Text from a file, made safe to print: UTF-8, with controls and bytes that are no characters escaped, cut
// between characters after `limit` bytes.
[[nodiscard]] inline std::string printable(std::string_view text, std::size_t limit = 120) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    if (out.size() >= limit) return out + "...";
    const std::size_t shown = shown_character(text);
    if (shown > 0) {
      out += text.substr(0, shown);
    } else {
      const auto u = static_cast<unsigned char>(text.front());
      out += "\\x";
      out += hex[u >> 4];
      out += hex[u & 15];
    }
    text.remove_prefix(shown > 0 ? shown : 1);
  }
  return out;
}

inline std::string FilePosition::describe() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line);
  if (has_offset) out += ", byte " + std::to_string(offset);
  if (!field.empty()) {
    out += ", '";
    out += printable(field);
    out += "'";
  }
  return out;
}

// A file whose content cannot be used. `code` is a short fixed word ("duplicate", "overflow") tests and
// programs can match; `reason` is for people.
class FileError : public Error {
 public:
  FileError(std::string code, FilePosition where, const std::string& reason)
      : Error(where.describe() + ": " + reason + " [" + code + "]"),
        code_(std::move(code)),
        where_(std::move(where)) {}
  [[nodiscard]] const std::string& code() const noexcept { return code_; }
  [[nodiscard]] const FilePosition& where() const noexcept { return where_; }

 private:
  std::string code_;
  FilePosition where_;
};

// Records, questions, predictions: exit code 3 of the programs.
class DataError : public FileError {
 public:
  using FileError::FileError;
};

// Weights, configuration, tokenizer, checkpoint: exit code 4 of the programs.
class ModelError : public FileError {
 public:
  using FileError::FileError;
};

// A read, write, sync or rename that the operating system refused.
class IoError : public Error {
 public:
  IoError(const std::string& operation, std::string path, int error_number, const std::string& reason)
      : Error("cannot " + operation + " " + path + ": " + reason),
        path_(std::move(path)),
        error_number_(error_number) {}
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] int error_number() const noexcept { return error_number_; }

 private:
  std::string path_;
  int error_number_;
};

// A loss, gradient or weight that is NaN or infinite where training must not go on.
class NonFiniteError : public Error {
 public:
  using Error::Error;
};

}  // namespace solopo
