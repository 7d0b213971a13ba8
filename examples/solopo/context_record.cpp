#include "context_record.hpp"

#include "prompt_format.hpp"
#include "solopo/io/jsonl.hpp"

namespace solopo::cli {
namespace {

// Takes members of one line out of its JSON, and says what is wrong with it.
class Line {
 public:
  Line(const io::Json& json, std::string file, std::uint64_t line)
      : json_(json), file_(std::move(file)), line_(line) {}

  [[nodiscard]] std::string text(const char* name) const { return text(member(name), name); }
  [[nodiscard]] std::vector<std::string> texts(const char* name) const {
    std::vector<std::string> out;
    for (const io::Json& value : list(name)) out.push_back(text(value, name));
    return out;
  }
  [[nodiscard]] std::vector<text::Message> messages(const char* name) const {
    std::vector<text::Message> out;
    for (const io::Json& value : list(name)) {
      if (!value.is_object() || !value.contains("role") || !value.contains("content"))
        fail(name, "expected messages {role, content}");
      out.push_back({.role = text(value["role"], name), .content = text(value["content"], name)});
    }
    return out;
  }
  [[nodiscard]] double number(const char* name) const {
    const auto found = json_.find(name);
    if (found == json_.end()) return 0;
    if (!found->is_number()) fail(name, "expected a number");
    return found->get<double>();
  }

 private:
  [[noreturn]] void fail(const std::string& field, const std::string& reason) const {
    throw DataError("field", {.file = file_, .line = line_, .field = field}, reason);
  }
  [[nodiscard]] const io::Json& member(const char* name) const {
    const auto found = json_.find(name);
    if (found == json_.end()) fail(name, "missing; is this a file made by data build?");
    return *found;
  }
  [[nodiscard]] const io::Json& list(const char* name) const {
    const io::Json& value = member(name);
    if (!value.is_array() || value.empty()) fail(name, "expected a list that is not empty");
    return value;
  }
  [[nodiscard]] std::string text(const io::Json& value, const char* name) const {
    if (!value.is_string()) fail(name, "expected text");
    return value.get<std::string>();
  }

  const io::Json& json_;
  std::string file_;
  std::uint64_t line_;
};

}  // namespace

io::Json to_json(const ContextRecord& record) {
  return {{"id", record.id},
          {"question", record.question},
          {"answers", record.answers},
          {"prompt_short", to_json(record.prompt_short)},
          {"prompt_long", to_json(record.prompt_long)},
          {"short_tokens", record.short_tokens},
          {"long_tokens", record.long_tokens},
          {"evidence_depth", record.evidence_depth}};
}

ContextFile read_contexts(const std::filesystem::path& path) {
  ContextFile out;
  out.sha256 = io::sha256_file(path, io::FileRole::data);
  io::JsonlReader reader(path);
  while (const auto record = reader.next()) {
    const Line line(record->value, reader.name(), record->line);
    out.records.push_back({.id = line.text("id"),
                           .question = line.text("question"),
                           .answers = line.texts("answers"),
                           .prompt_short = line.messages("prompt_short"),
                           .prompt_long = line.messages("prompt_long"),
                           .short_tokens = static_cast<std::int64_t>(line.number("short_tokens")),
                           .long_tokens = static_cast<std::int64_t>(line.number("long_tokens")),
                           .evidence_depth = line.number("evidence_depth")});
  }
  return out;
}

}  // namespace solopo::cli
