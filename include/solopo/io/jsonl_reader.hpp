// Reads JSON lines of any file size in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/io/input_file.hpp"
#include "solopo/io/json.hpp"

namespace solopo::io {

enum class BadUtf8 { reject, replace };

struct JsonlOptions {
  BadUtf8 bad_utf8 = BadUtf8::reject;  // replace: U+FFFD for each bad sequence, counted
  std::size_t max_bad = 0;             // bad lines that are passed over; the next one throws
  std::size_t max_line_bytes = std::size_t{64} << 20;
  std::size_t max_depth = 64;
  bool allow_nul = false;  // \u0000 inside a string
};

struct JsonlRecord {
  std::uint64_t line = 0;  // 1-based
  Json value;              // always an object
};

// A line that was passed over.
struct BadLine {
  std::uint64_t line = 0;
  std::string code, field, reason;
};

// Blank lines are skipped; CRLF ends, a byte order mark and a missing last newline are fine. A bad line (code
// json, utf8, duplicate, not_object, line_too_long, or one the caller refused) counts against max_bad and
// throws DataError when there are more. Whatever the limit, DataError: empty, json_array and json_document
// (the file is JSON, not JSON lines), and the codes of InputFile.
class JsonlReader {
 public:
  explicit JsonlReader(const std::filesystem::path& path, JsonlOptions options = {})
      : file_(path, FileRole::data), options_(options) {
    file_.refuse_compressed();
  }

  // The next good record; nothing at the end of the file.
  std::optional<JsonlRecord> next() {
    while (read_line()) {
      std::string_view text = line_;
      if (line_number_ == 1 && text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
      if (text.ends_with('\r')) text.remove_suffix(1);
      if (text.find_first_not_of(" \t\r") == text.npos && !too_long_) continue;
      refuse_other_json(text);
      seen_any_ = true;
      if (auto value = parse(text)) return JsonlRecord{line_number_, std::move(*value)};
    }
    if (!seen_any_) file_.fault("empty", "it has no record: it is empty or has only blank lines");
    return std::nullopt;
  }

  // For the caller: this line has a field that will not do.
  void reject(std::uint64_t line, const std::string& code, const std::string& field,
              const std::string& reason) {
    bad_lines_.push_back({line, code, field, reason});
    if (bad_lines_.size() <= options_.max_bad) return;
    throw DataError(code, {.file = file_.name(), .line = line, .field = field}, reason);
  }

  [[nodiscard]] const std::vector<BadLine>& bad_lines() const noexcept { return bad_lines_; }
  [[nodiscard]] std::size_t replaced_utf8() const noexcept { return replaced_; }  // sequences, so far
  [[nodiscard]] const std::string& name() const noexcept { return file_.name(); }

 private:
  static constexpr std::size_t part_bytes = std::size_t{1} << 20;

  // Fills line_ without its newline; false at the end of the file.
  bool read_line() {
    line_.clear();
    too_long_ = ended_ = false;
    line_offset_ = part_offset_ + at_;
    bool any = false;
    for (;;) {
      if (at_ == part_.size()) {
        part_offset_ += at_;
        part_.resize(part_bytes);
        part_.resize(file_.read_some(part_offset_, part_.data(), part_.size()));
        at_ = 0;
        if (part_.empty()) break;
      }
      any = true;
      const std::size_t end = part_.find('\n', at_);
      ended_ = end != part_.npos;
      const std::string_view piece = std::string_view(part_).substr(at_, (ended_ ? end : part_.size()) - at_);
      at_ = ended_ ? end + 1 : part_.size();
      too_long_ = too_long_ || line_.size() + piece.size() > options_.max_line_bytes;
      if (too_long_) {
        line_.clear();  // the rest is skipped, not stored
      } else {
        line_ += piece;
      }
      if (ended_) break;
    }
    line_number_ += any;
    return any;
  }

  // Called before the first record only.
  void refuse_other_json(std::string_view text) const {
    if (seen_any_ || too_long_) return;
    const std::size_t first = text.find_first_not_of(" \t");
    const auto refuse = [&](const char* code, const char* what) {
      throw DataError(
          code, {.file = file_.name(), .line = line_number_, .field = {}},
          std::string("it looks like JSON, not JSONL: ") + what + "; put one object on each line");
    };
    if (text[first] == '[') refuse("json_array", "it begins with an array");
    if (text[first] == '{' && ended_ && text.find_first_not_of(" \t\r", first + 1) == text.npos) {
      refuse("json_document", "an object goes over several lines");
    }
  }

  std::optional<Json> parse(std::string_view text) {
    if (too_long_) {
      reject(line_number_, "line_too_long", "",
             "the line has more than " + std::to_string(options_.max_line_bytes) + " bytes");
      return std::nullopt;
    }
    ReplacedText repaired;
    if (options_.bad_utf8 == BadUtf8::replace && find_invalid_utf8(text)) {
      repaired = replace_invalid_utf8(text);
      replaced_ += repaired.replaced;
      text = repaired.text;
    }
    const auto skipped = static_cast<std::uint64_t>(text.data() - line_.data());
    const std::uint64_t offset = line_offset_ + (repaired.text.empty() ? skipped : 0);
    const JsonOrigin origin{.file = file_.name(), .line = line_number_, .offset = offset};
    try {
      Json value = parse_json(
          text, origin,
          {.max_depth = options_.max_depth, .max_bytes = text.size(), .allow_nul = options_.allow_nul});
      if (value.is_object()) return value;
      bad_lines_.push_back({line_number_, "not_object", "", "the line is not a JSON object"});
      if (bad_lines_.size() <= options_.max_bad) return std::nullopt;
    } catch (const DataError& error) {
      bad_lines_.push_back({line_number_, error.code(), error.where().field, error.what()});
      if (bad_lines_.size() <= options_.max_bad) return std::nullopt;
      if (ended_) throw;
      throw DataError(error.code(), error.where(),
                      "the last line is cut or bad (the file has no final newline)");
    }
    throw DataError("not_object", {.file = file_.name(), .line = line_number_, .field = {}},
                    "the line is not a JSON object");
  }

  InputFile file_;
  JsonlOptions options_;
  std::string part_;  // the part of the file being cut into lines
  std::size_t at_ = 0;
  std::uint64_t part_offset_ = 0;
  std::string line_;
  std::uint64_t line_number_ = 0, line_offset_ = 0;
  bool too_long_ = false;
  bool ended_ = false;  // by a newline
  bool seen_any_ = false;
  std::size_t replaced_ = 0;
  std::vector<BadLine> bad_lines_;
};

}  // namespace solopo::io
