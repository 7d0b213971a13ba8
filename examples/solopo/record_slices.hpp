// Cuts a file of JSON records into the text of each record, before any is parsed: JSON Lines, or one JSON
// array. A broken record then costs only itself, a large array is never held as one tree, and every record
// has its line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace solopo::cli {

struct RecordSlice {
  std::string_view text;   // without the line break
  std::uint64_t line = 0;  // 1-based line on which it starts
};

inline bool is_json_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

inline std::string_view trim_json_blanks(std::string_view text) noexcept {
  while (!text.empty() && is_json_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_json_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Lines that are not blank. A byte order mark at the start is skipped.
inline std::vector<RecordSlice> slice_lines(std::string_view text) {
  std::vector<RecordSlice> out;
  std::uint64_t line = 1;
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  for (; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    const std::string_view record = trim_json_blanks(text.substr(0, end));
    if (!record.empty()) out.push_back({record, line});
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

// The elements of a JSON array, found by counting brackets outside strings. What is malformed ends up inside
// an element (the last one, where the array is cut) and fails when that element is parsed.
inline std::vector<RecordSlice> slice_array(std::string_view text) {
  std::vector<RecordSlice> out;
  std::uint64_t line = 1, start_line = 1;
  std::size_t depth = 0, start = std::string_view::npos;
  bool in_string = false, closed = false;
  const auto finish = [&](std::size_t end) {
    if (start != std::string_view::npos)
      out.push_back({trim_json_blanks(text.substr(start, end - start)), start_line});
    start = std::string_view::npos;
  };
  for (std::size_t i = text.find('['); i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (depth > 0 && start == std::string_view::npos && !is_json_blank(c) && c != ',' &&
        !(c == ']' && depth == 1)) {
      start = i;
      start_line = line;
    }
    if (closed && !is_json_blank(c) && start == std::string_view::npos) {
      start = i;  // text after the array: one more, malformed, record
      start_line = line;
    }
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if ((c == ']' || c == '}') && depth > 0) {
      if (--depth == 0) {
        finish(i);
        closed = true;
      }
    } else if (c == ',' && depth == 1) {
      finish(i);
    }
  }
  if (!closed && start == std::string_view::npos) {  // cut between two elements
    out.push_back({text.substr(text.size()), line});
  }
  finish(text.size());
  return out;
}

// Either, by the first character that is not blank.
inline std::vector<RecordSlice> slice_records(std::string_view text) {
  std::string_view rest = text.substr(0, 3) == "\xef\xbb\xbf" ? text.substr(3) : text;
  rest = trim_json_blanks(rest);
  return !rest.empty() && rest.front() == '[' ? slice_array(text) : slice_lines(text);
}

}  // namespace solopo::cli
