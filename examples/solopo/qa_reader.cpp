#include "qa_reader.hpp"

#include <algorithm>
#include <ostream>
#include <set>
#include <unordered_map>
#include <utility>

#include "answer_match.hpp"
#include "record_slices.hpp"
#include "solopo/io/json.hpp"
#include "text_file.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

using io::Json;

constexpr std::size_t max_document_bytes = std::size_t{1} << 30;  // a SQuAD file is one record

// A member that is missing or wrong, inside the record at hand.
struct BadField {
  std::string code, field, reason;
};

// A record that is well formed, but of no use here.
struct Dropped {
  std::string reason;
};

const Json& member(const Json& object, const std::string& name, const std::string& path) {
  if (!object.is_object()) throw BadField{"field", path, "expected an object"};
  const auto found = object.find(name);
  if (found == object.end()) throw BadField{"field", path + name, "missing"};
  return *found;
}

const std::string& as_text(const Json& value, const std::string& path) {
  if (!value.is_string())
    throw BadField{"field", path, "expected text, found " + std::string(value.type_name())};
  const auto& text = value.get_ref<const std::string&>();
  if (text.find('\0') != std::string::npos) throw BadField{"field", path, "contains a NUL character"};
  return text;
}

const Json& as_array(const Json& value, const std::string& path) {
  if (!value.is_array())
    throw BadField{"field", path, "expected an array, found " + std::string(value.type_name())};
  return value;
}

const std::string& text_member(const Json& object, const std::string& name, const std::string& path = "") {
  return as_text(member(object, name, path), path + name);
}

const Json& array_member(const Json& object, const std::string& name, const std::string& path = "") {
  return as_array(member(object, name, path), path + name);
}

// A flag that may be missing.
bool flag_member(const Json& object, const std::string& name, bool missing, const std::string& path = "") {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return missing;
  if (!found->is_boolean()) throw BadField{"field", path + name, "expected true or false"};
  return found->get<bool>();
}

std::string element(const std::string& path, std::size_t index) {
  return path + "[" + std::to_string(index) + "]";
}

std::string trimmed(std::string_view text) { return std::string(trim_json_blanks(text)); }

// Collects the questions and the account of one file.
class Collector {
 public:
  Collector(QaFile& out, std::string file) : out_(out), file_(std::move(file)) {}

  void bad(std::uint64_t line, const BadField& what) {
    ++out_.report.bad;
    if (out_.report.first_bad.size() == most_bad_shown) return;
    out_.report.first_bad.push_back(
        {{.file = file_, .line = line, .field = what.field}, what.code, what.reason});
  }
  void note(const std::string& reason) { ++out_.report.notes[reason]; }

  // Runs `make`, which returns a Question or throws; accounts for the outcome.
  template <class Make>
  void record(std::uint64_t line, const std::string& path, Make make) {
    ++out_.report.records;
    try {
      Question question = make();
      finish(question);
      out_.questions.push_back(std::move(question));
      ++out_.report.kept;
    } catch (BadField& what) {
      what.field = path + what.field;
      bad(line, what);
    } catch (const Dropped& what) {
      ++out_.report.dropped[what.reason];
    }
  }

 private:
  // What every format shares: clean answers, and whether the question can be used.
  static void finish(Question& question) {
    question.question = trimmed(question.question);
    if (question.question.empty()) throw Dropped{"empty question"};
    std::vector<std::string> answers;
    bool any_text = false;
    for (const std::string& raw : question.answers) {
      std::string answer = trimmed(raw);
      any_text |= !answer.empty();
      if (normalise_answer(answer).empty()) continue;
      if (std::find(answers.begin(), answers.end(), answer) == answers.end())
        answers.push_back(std::move(answer));
    }
    if (answers.empty()) throw Dropped{any_text ? "answer without a word" : "empty answer"};
    question.answers = std::move(answers);
    if (is_yes_no(question.answers)) throw Dropped{"yes/no answer"};

    std::erase_if(question.paragraphs, [](const Paragraph& p) { return trim_json_blanks(p.text).empty(); });
    bool any_supporting = false, answered = false;
    for (const Paragraph& paragraph : question.paragraphs) {
      if (!paragraph.supporting) continue;
      any_supporting = true;
      answered |= contains_answer(paragraph.title + " " + paragraph.text, question.answers);
    }
    if (!any_supporting) throw BadField{"evidence", "paragraphs", "no supporting paragraph"};
    if (!answered) throw Dropped{"answer not in the evidence"};
  }

  QaFile& out_;
  std::string file_;
};

// ---- MuSiQue
// -----------------------------------------------------------------------------------------------------

// Older full-style files have no `answerable`; there, a step whose paragraph was taken away has no index.
bool is_answerable(const Json& record) {
  if (record.contains("answerable")) return flag_member(record, "answerable", true);
  const auto steps = record.find("question_decomposition");
  if (steps == record.end() || !steps->is_array()) return true;
  return std::none_of(steps->begin(), steps->end(), [](const Json& step) {
    return step.is_object() && step.contains("paragraph_support_idx") &&
           step["paragraph_support_idx"].is_null();
  });
}

Question read_musique(const Json& record, Collector& collector) {
  Question out;
  out.id = text_member(record, "id");
  out.question = text_member(record, "question");
  const Json& paragraphs = array_member(record, "paragraphs");
  if (paragraphs.empty()) throw BadField{"field", "paragraphs", "empty"};
  std::set<std::int64_t> seen;
  for (std::size_t i = 0; i < paragraphs.size(); ++i) {
    const std::string path = element("paragraphs", i) + ".";
    const Json& paragraph = paragraphs[i];
    out.paragraphs.push_back({.title = text_member(paragraph, "title", path),
                              .text = text_member(paragraph, "paragraph_text", path),
                              .supporting = flag_member(paragraph, "is_supporting", false, path)});
    if (paragraph.contains("idx")) {
      if (!paragraph["idx"].is_number_integer()) throw BadField{"field", path + "idx", "expected an integer"};
      if (!seen.insert(paragraph["idx"].get<std::int64_t>()).second)
        throw BadField{"field", path + "idx", "a second paragraph with this idx"};
    }
  }
  if (!is_answerable(record)) throw Dropped{"unanswerable"};
  out.answers.push_back(text_member(record, "answer"));
  if (record.contains("answer_aliases")) {
    const Json& aliases = array_member(record, "answer_aliases");
    for (std::size_t i = 0; i < aliases.size(); ++i)
      out.answers.push_back(as_text(aliases[i], element("answer_aliases", i)));
  } else {
    collector.note("no answer_aliases");
  }
  return out;
}

// ---- HotpotQA, 2WikiMultihopQA
// -----------------------------------------------------------------------------------

Question read_hotpotqa(const Json& record, Collector&) {
  Question out;
  out.id = text_member(record, record.contains("id") && !record.contains("_id") ? "id" : "_id");
  out.question = text_member(record, "question");
  out.answers.push_back(text_member(record, "answer"));
  const Json& context = array_member(record, "context");
  if (context.empty()) throw BadField{"field", "context", "empty"};
  for (std::size_t i = 0; i < context.size(); ++i) {
    const std::string path = element("context", i);
    if (!context[i].is_array() || context[i].size() != 2)
      throw BadField{"field", path, "expected [title, [sentences]]"};
    Paragraph paragraph{.title = as_text(context[i][0], path + "[0]"), .text = "", .supporting = false};
    const Json& sentences = as_array(context[i][1], path + "[1]");
    for (std::size_t k = 0; k < sentences.size();
         ++k) {  // HotpotQA's sentences bring their blank, 2Wiki's do not
      const std::string& sentence = as_text(sentences[k], element(path + "[1]", k));
      const bool joined = paragraph.text.empty() || sentence.empty() || is_json_blank(sentence.front()) ||
                          is_json_blank(paragraph.text.back());
      paragraph.text += (joined ? "" : " ") + sentence;
    }
    paragraph.text = trimmed(paragraph.text);
    out.paragraphs.push_back(std::move(paragraph));
  }
  const Json& facts = array_member(record, "supporting_facts");
  if (facts.empty()) throw BadField{"evidence", "supporting_facts", "no supporting paragraph"};
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const std::string path = element("supporting_facts", i);
    if (!facts[i].is_array() || facts[i].empty()) throw BadField{"field", path, "expected [title, sentence]"};
    const std::string& title = as_text(facts[i][0], path + "[0]");
    bool found = false;
    for (Paragraph& paragraph : out.paragraphs) {
      if (paragraph.title == title) found = paragraph.supporting = true;
    }
    if (!found) throw Dropped{"supporting paragraph missing"};
  }
  return out;
}

// ---- SQuAD
// -------------------------------------------------------------------------------------------------------

Question read_squad_question(const Json& qa, const Paragraph& paragraph, const std::string& group) {
  Question out;
  out.id = text_member(qa, "id");
  out.group = group;
  out.question = text_member(qa, "question");
  if (flag_member(qa, "is_impossible", false)) throw Dropped{"unanswerable"};
  const Json& answers = array_member(qa, "answers");
  for (std::size_t i = 0; i < answers.size(); ++i)
    out.answers.push_back(text_member(answers[i], "text", element("answers", i) + "."));
  if (answers.empty()) throw Dropped{"empty answer"};
  out.paragraphs.push_back(paragraph);
  return out;
}

void read_squad_article(const Json& article, std::uint64_t line, const std::string& path,
                        Collector& collector) {
  const std::string group = text_member(article, "title", path);
  std::string title = group;
  std::replace(title.begin(), title.end(), '_', ' ');
  const Json& paragraphs = array_member(article, "paragraphs", path);
  for (std::size_t i = 0; i < paragraphs.size(); ++i) {
    const std::string paragraph_path = element(path + "paragraphs", i) + ".";
    try {
      const Paragraph paragraph{
          .title = title, .text = text_member(paragraphs[i], "context", paragraph_path), .supporting = true};
      const Json& qas = array_member(paragraphs[i], "qas", paragraph_path);
      for (std::size_t k = 0; k < qas.size(); ++k) {
        const std::string qa_path = element(paragraph_path + "qas", k) + ".";
        collector.record(line, qa_path, [&] { return read_squad_question(qas[k], paragraph, group); });
      }
    } catch (const BadField& what) {
      collector.bad(line, what);
    }
  }
}

// A whole document {"data": [articles]}, or one article.
void read_squad(const Json& record, std::uint64_t line, Collector& collector) {
  if (record.is_object() && record.contains("paragraphs"))
    return read_squad_article(record, line, "", collector);
  const Json& data = array_member(record, "data");
  for (std::size_t i = 0; i < data.size(); ++i) {
    try {
      read_squad_article(data[i], line, element("data", i) + ".", collector);
    } catch (const BadField& what) {
      collector.bad(line, what);
    }
  }
}

// ------------------------------------------------------------------------------------------------------------------

// SQuAD's document may be pretty-printed over many lines; its lines are then no records.
std::vector<RecordSlice> slice_for(std::string_view text, QaFormat format) {
  std::vector<RecordSlice> out = slice_records(text);
  if (format == QaFormat::squad && out.size() > 1 && out.front().text.front() == '{' &&
      out.front().text.back() != '}') {
    const std::uint64_t line = out.front().line;
    const char* begin = out.front().text.data();
    out = {{trim_json_blanks(text.substr(static_cast<std::size_t>(begin - text.data()))), line}};
  }
  return out;
}

// The same id twice is legal for MuSiQue's answerable and unanswerable twins; the latter are dropped by now.
void note_duplicates(const std::vector<Question>& questions, ReadReport& report) {
  std::unordered_map<std::string_view, std::int64_t> seen;
  for (const Question& question : questions) {
    if (seen[question.id]++ > 0) ++report.notes["duplicate id"];
  }
}

}  // namespace

QaFormat parse_qa_format(std::string_view name) {
  if (name == "musique") return QaFormat::musique;
  if (name == "hotpotqa" || name == "2wikimultihopqa") return QaFormat::hotpotqa;
  if (name == "squad") return QaFormat::squad;
  throw UsageError("--format '" + printable(name) + "': there are musique, hotpotqa, 2wikimultihopqa, squad");
}

QaFile parse_questions(std::string bytes, const std::string& name, QaFormat format,
                       const QaReadOptions& options) {
  QaFile out;
  out.report.file = name;
  out.report.sha256 = io::sha256_hex(bytes);
  require_text(bytes, name);
  Collector collector(out, name);
  const std::size_t limit = format == QaFormat::squad ? max_document_bytes : max_record_bytes;
  for (const RecordSlice& slice : slice_for(bytes, format)) {
    const auto whole_record_bad = [&](const BadField& what) {
      ++out.report.records;
      collector.bad(slice.line, what);
    };
    io::ReplacedText repaired;
    std::string_view text = slice.text;
    if (options.bad_utf8 == io::BadUtf8::replace && io::find_invalid_utf8(text)) {
      repaired = io::replace_invalid_utf8(text);
      out.report.notes["wrong UTF-8 replaced"] += static_cast<std::int64_t>(repaired.replaced);
      text = repaired.text;
    }
    try {
      const Json record = parse_record(text, name, slice.line, limit);
      if (!record.is_object())
        throw BadField{"json", "", "expected an object, found " + std::string(record.type_name())};
      if (format == QaFormat::squad) {
        read_squad(record, slice.line, collector);
      } else {
        collector.record(slice.line, "", [&] {
          return format == QaFormat::musique ? read_musique(record, collector)
                                             : read_hotpotqa(record, collector);
        });
      }
    } catch (const BadField& what) {
      whole_record_bad(what);
    } catch (const DataError& error) {
      whole_record_bad({error.code(), error.where().field, reason_of(error)});
    }
  }
  note_duplicates(out.questions, out.report);
  return out;
}

QaFile read_questions(const std::filesystem::path& path, QaFormat format, const QaReadOptions& options) {
  return parse_questions(read_text_file(path), path.string(), format, options);
}

void print_report(const ReadReport& report, std::ostream& log) {
  for (const BadRecord& bad : report.first_bad)
    log << "bad record: " << bad.where.describe() << ": " << bad.reason << " [" << bad.code << "]\n";
  const std::int64_t more = report.bad - static_cast<std::int64_t>(report.first_bad.size());
  if (more > 0) log << "... and " << more << " more bad records\n";
  log << report.file << ": " << report.records << " records\n";
  const auto row = [&](const std::string& what, std::int64_t count) {
    log << "  " << what << std::string(what.size() < 40 ? 40 - what.size() : 1, ' ') << count << "\n";
  };
  row("kept", report.kept);
  for (const auto& [reason, count] : report.dropped) row("dropped: " + reason, count);
  row("bad", report.bad);
  for (const auto& [reason, count] : report.notes) row("note: " + reason, count);
}

void require_good(const ReadReport& report, std::int64_t max_bad) {
  if (report.bad <= max_bad) return;
  const BadRecord& first = report.first_bad.front();
  throw DataError(first.code, first.where,
                  first.reason + "; " + std::to_string(report.bad) + " bad record(s), allowed are " +
                      std::to_string(max_bad) + " (--max-bad)");
}

QaFile load_questions(const std::filesystem::path& path, QaFormat format, const QaReadOptions& options,
                      std::ostream& log) {
  if (options.max_bad < 0) throw UsageError("--max-bad cannot be negative");
  QaFile file = read_questions(path, format, options);
  print_report(file.report, log);
  require_good(file.report, options.max_bad);
  return file;
}

}  // namespace solopo::cli
