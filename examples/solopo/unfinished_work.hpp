// The work of a long command while it is not whole, in OUT.partial: a line that says whose it is, and one for
// each piece of work. A command that was interrupted goes on from there.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "solopo/io/json.hpp"
#include "solopo/io/jsonl.hpp"
#include "usage_error.hpp"

namespace solopo::cli {

class UnfinishedWork {
 public:
  // Calls take(piece) for what was done before under the same `key`, in order; it may throw io::Json's
  // exceptions. Throws UsageError for work under another key, DataError for a line that is none of it,
  // IoError.
  UnfinishedWork(const std::filesystem::path& out, const std::string& command, const std::string& key,
                 const std::function<void(const io::Json&)>& take)
      : path_(out.string() + ".partial"), lines_(path_) {  // a half line at the end is cut off
    if (std::filesystem::file_size(path_) == 0) {
      lines_.write({{"unfinished", command}, {"key", key}});
      return;
    }
    io::JsonlReader reader(path_);
    const auto header = reader.next();
    if (!header || !header->value.contains("key") || header->value["key"] != key)
      throw UsageError(path_.string() +
                       " is the unfinished work of a run with other options, another model or another input; "
                       "remove it to start anew");
    while (const auto line = reader.next()) {
      try {
        take(line->value);
      } catch (const io::Json::exception&) {
        reader.reject(line->line, "field", "",
                      "this is not a line of an unfinished run; remove the file to start anew");
      }
    }
  }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  void add(const io::Json& piece) { lines_.write(piece); }
  // The result is written. add() must not follow.
  void finish() { std::filesystem::remove(path_); }

 private:
  std::filesystem::path path_;
  io::JsonlAppender lines_;
};

}  // namespace solopo::cli
