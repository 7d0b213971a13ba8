// Question-answering files of several formats, read into one form. Every record is checked: what cannot be
// read is a bad record with file, line, field and reason; what can be read but not used is dropped and
// counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/jsonl.hpp"

namespace solopo::cli {

struct Paragraph {
  std::string title;  // may be empty
  std::string text;
  bool supporting = false;  // part of the evidence for the answer
};

struct Question {
  std::string id;
  std::string group;  // the article, for files that have articles; else empty
  std::string question;
  std::vector<std::string> answers;  // the answer first, then its aliases; no two equal
  std::vector<Paragraph> paragraphs;
};

enum class QaFormat { musique, hotpotqa, squad };

// "musique", "hotpotqa", "2wikimultihopqa" (hotpotqa's form), "squad" (version 1 or 2); UsageError otherwise.
QaFormat parse_qa_format(std::string_view name);

struct QaReadOptions {
  std::int64_t max_bad = 0;                    // more bad records than this: DataError
  io::BadUtf8 bad_utf8 = io::BadUtf8::reject;  // replace: U+FFFD for each bad sequence, counted
};

// A record that could not be read.
struct BadRecord {
  FilePosition where;  // the line on which the record starts, and the member that is wrong
  std::string code;    // "json", "utf8", "field", ...
  std::string reason;
};

inline constexpr std::size_t most_bad_shown = 10;  // the others are counted only

// What became of the records of one file.
struct ReadReport {
  std::string file;
  std::string sha256;  // of the bytes read
  std::int64_t records = 0, kept = 0, bad = 0;
  std::map<std::string, std::int64_t> dropped;  // by reason: readable, but of no use here
  std::map<std::string, std::int64_t> notes;    // by reason: used all the same
  std::vector<BadRecord> first_bad;             // at most most_bad_shown
};

struct QaFile {
  std::vector<Question> questions;  // in file order
  ReadReport report;
};

// Reads a whole file: JSON Lines, or one JSON array (musique, hotpotqa) or document (squad).
// DataError: the file as a whole cannot be used (missing, a folder, compressed, empty).
QaFile read_questions(const std::filesystem::path& path, QaFormat format, const QaReadOptions& options = {});

// The same, from bytes; `name` stands in messages.
QaFile parse_questions(std::string bytes, const std::string& name, QaFormat format,
                       const QaReadOptions& options = {});

// A table of what was read, kept, dropped and bad.
void print_report(const ReadReport& report, std::ostream& log);

// DataError when the report holds more than max_bad bad records; its position is that of the first.
void require_good(const ReadReport& report, std::int64_t max_bad);

// read_questions, print_report and require_good in one: what the commands use. UsageError for a negative
// max_bad.
QaFile load_questions(const std::filesystem::path& path, QaFormat format, const QaReadOptions& options,
                      std::ostream& log);

}  // namespace solopo::cli
