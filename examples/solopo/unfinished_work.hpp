// The work of a long command while it is not whole, in OUT.partial: a line that says whose it is, and one for
// each piece of work. A command that was interrupted goes on from there; two at once do not mix their lines.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "solopo/io/file_lock.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/jsonl.hpp"
#include "usage_error.hpp"

namespace solopo::cli {

class UnfinishedWork {
 public:
  // Calls take(piece) for what was done before under the same `key`, in order; it may throw io::Json's
  // exceptions. Throws Error where another process is at it, UsageError for work under another key (a file
  // without a piece of it is begun anew), DataError for a line that is none of it, IoError.
  UnfinishedWork(const std::filesystem::path& out, const std::string& command, const std::string& key,
                 const std::function<void(const io::Json&)>& take)
      : path_(out.string() + ".partial"),
        lock_(path_, "another process is writing " + path_.string() +
                         "; wait for it to end, or choose another --out"),
        lines_(path_) {  // a half line at the end is cut off
    if (take_pieces(key, take)) return;
    lines_.clear();
    lines_.write({{"unfinished", command}, {"key", key}});
  }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  void add(const io::Json& piece) { lines_.write(piece); }
  // The result is written. add() must not follow.
  void finish() { std::filesystem::remove(path_); }

 private:
  // Whether there are any.
  bool take_pieces(const std::string& key, const std::function<void(const io::Json&)>& take) const {
    if (std::filesystem::file_size(path_) == 0) return false;
    io::JsonlReader reader(path_, {.allow_nul = true});  // a model may answer with it
    const auto header = reader.next();
    auto line = reader.next();
    const bool has_key = header && header->value.contains("key");
    if (has_key && !line) return false;
    if (!has_key || header->value["key"] != key)
      throw UsageError(path_.string() +
                       " is the unfinished work of a run with other options, another model or another input; "
                       "remove it to start anew");
    for (; line; line = reader.next()) {
      try {
        take(line->value);
      } catch (const io::Json::exception&) {
        reader.reject(line->line, "field", "",
                      "this is not a line of an unfinished run; remove the file to start anew");
      }
    }
    return true;
  }

  std::filesystem::path path_;
  io::FileLock lock_;
  io::JsonlAppender lines_;
};

}  // namespace solopo::cli
