#include "eval_result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "eval_summary.hpp"
#include "solopo/core/config.hpp"
#include "solopo/core/error.hpp"

namespace solopo::cli {
namespace {

constexpr const char* kind = "solopo eval";

// Members of a file's objects, checked as they are taken.
class Member {
 public:
  Member(const io::Json& json, std::string file, std::string place)
      : json_(json), file_(std::move(file)), place_(std::move(place)) {
    if (!json_.is_object()) refuse(place_, "expected an object");
  }
  [[nodiscard]] const io::Json& any(const char* name) const {
    const auto found = json_.find(name);
    if (found == json_.end()) refuse(place_ + name, "is missing");
    return *found;
  }
  [[nodiscard]] std::string text(const char* name) const {
    const io::Json& value = any(name);
    if (!value.is_string()) refuse(place_ + name, "expected a string");
    return value.get<std::string>();
  }
  [[nodiscard]] double number(const char* name) const {
    const io::Json& value = any(name);
    if (!value.is_number()) refuse(place_ + name, "expected a number");
    return value.get<double>();
  }
  [[nodiscard]] std::int64_t count(const char* name) const {
    const io::Json& value = any(name);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > (std::uint64_t{1} << 62))
      refuse(place_ + name, "expected a count");
    return value.get<std::int64_t>();
  }
  [[nodiscard]] bool truth(const char* name) const {
    const io::Json& value = any(name);
    if (!value.is_boolean()) refuse(place_ + name, "expected true or false");
    return value.get<bool>();
  }
  [[nodiscard]] const io::Json& list(const char* name) const {
    const io::Json& value = any(name);
    if (!value.is_array()) refuse(place_ + name, "expected a list");
    return value;
  }
  [[noreturn]] void refuse(const std::string& field, const std::string& reason) const {
    throw DataError("field", {.file = file_, .field = field}, reason);
  }

 private:
  const io::Json& json_;
  std::string file_, place_;
};

EvalRow read_row(const Member& m, std::int64_t length) {
  EvalRow row{.id = m.text("id"),
              .length = length,
              .tokens = m.count("tokens"),
              .depth = std::nullopt,
              .correct = m.truth("correct"),
              .finished = m.truth("finished"),
              .gold_logp_per_token = m.number("gold_logp_per_token"),
              .gold_tokens = m.count("gold_tokens"),
              .answer = m.text("answer")};
  if (m.count("length") != length) m.refuse("rows", "a row stands under another length");
  if (!m.any("depth").is_null()) {
    row.depth = m.number("depth");
    if (!(*row.depth >= 0 && *row.depth <= 1)) m.refuse("depth", "must lie between 0 and 1");
  }
  return row;
}

io::Json rows_json(const std::vector<EvalRow>& rows) {
  io::Json out = io::Json::array();
  for (const EvalRow& row : rows) {
    out.push_back({{"id", row.id},
                   {"length", row.length},
                   {"tokens", row.tokens},
                   {"depth", row.depth ? io::Json(*row.depth) : io::Json(nullptr)},
                   {"correct", row.correct},
                   {"finished", row.finished},
                   {"gold_logp_per_token", row.gold_logp_per_token},
                   {"gold_tokens", row.gold_tokens},
                   {"answer", row.answer}});
  }
  return out;
}

std::vector<EvalRow> read_rows(const Member& m, const char* field, const std::string& file,
                               std::int64_t length) {
  std::vector<EvalRow> out;
  for (const io::Json& row : m.list("rows")) out.push_back(read_row(Member(row, file, "rows/"), length));
  if (out.empty()) m.refuse(field, "is empty");
  return out;
}

}  // namespace

std::string length_label(std::int64_t length) {
  if (length == 0) return "evidence";
  if (length >= 1024 && length % 1024 == 0) return std::to_string(length / 1024) + "K";
  return std::to_string(length);
}

io::Json to_json(const EvalResult& result) {
  io::Json questions = io::Json::array(), lengths = io::Json::array(), summary = io::Json::array();
  for (const EvalQuestion& q : result.questions)
    questions.push_back({{"id", q.id}, {"question", q.question}, {"answers", q.answers}});
  for (const EvalLength& length : result.lengths) {
    lengths.push_back({{"length", length.length},
                       {"contexts_sha256", length.contexts_sha256},
                       {"seconds", length.seconds},
                       {"rows", rows_json(length.rows)}});
  }
  for (const LengthSummary& s : summarise(result)) summary.push_back(to_json(s));
  return {{"kind", kind},
          {"version", SOLOPO_VERSION},
          {"model", result.model},
          {"command", result.command},
          {"settings", result.settings},
          {"machine", result.machine},
          {"seconds", result.seconds},
          {"peak_memory_bytes", result.peak_memory_bytes},
          {"definitions",
           {{"accuracy",
             "share of questions whose greedy answer contains the answer or an alias as whole words, after "
             "SQuAD's normalisation; 95 % Wilson interval"},
            {"gold_logp_per_token",
             "natural logarithm of the probability of the first answer and the end-of-turn token after it, "
             "per token; mean over questions with a 95 % bootstrap interval"}}},
          {"summary", std::move(summary)},
          {"questions", std::move(questions)},
          {"lengths", std::move(lengths)}};
}

io::Json to_json(const EvalPiece& piece) {
  return {{"length", piece.length}, {"seconds", piece.seconds}, {"rows", rows_json(piece.rows)}};
}

EvalPiece read_piece(const io::Json& json, const std::string& file) {
  const Member m(json, file, "");
  EvalPiece out{.length = m.count("length"), .seconds = m.number("seconds"), .rows = {}};
  out.rows = read_rows(m, "rows", file, out.length);
  return out;
}

EvalResult read_eval(const std::filesystem::path& path) {
  const io::Json json = io::parse_json_file(path, io::FileRole::data);
  const std::string file = path.string();
  const Member top(json, file, "");
  if (!json.contains("kind") || json["kind"] != kind)
    top.refuse("kind", "this is not a result of 'solopo eval'");
  EvalResult out{.model = top.text("model"),
                 .command = top.text("command"),
                 .settings = top.any("settings"),
                 .machine = top.any("machine"),
                 .seconds = top.number("seconds"),
                 .peak_memory_bytes = top.number("peak_memory_bytes"),
                 .questions = {},
                 .lengths = {}};
  if (!out.settings.is_object()) top.refuse("settings", "expected an object");
  for (const io::Json& element : top.list("questions")) {
    const Member m(element, file, "questions/");
    EvalQuestion question{.id = m.text("id"), .question = m.text("question"), .answers = {}};
    for (const io::Json& answer : m.list("answers")) {
      if (!answer.is_string()) m.refuse("questions/answers", "expected strings");
      question.answers.push_back(answer.get<std::string>());
    }
    out.questions.push_back(std::move(question));
  }
  for (const io::Json& element : top.list("lengths")) {
    const Member m(element, file, "lengths/");
    EvalLength length{.length = m.count("length"),
                      .contexts_sha256 = m.text("contexts_sha256"),
                      .seconds = m.number("seconds"),
                      .rows = {}};
    if (!out.lengths.empty() && out.lengths.back().length >= length.length)
      m.refuse("lengths/length", "lengths must ascend");
    length.rows = read_rows(m, "lengths/rows", file, length.length);
    out.lengths.push_back(std::move(length));
  }
  if (out.lengths.empty()) top.refuse("lengths", "is empty");
  return out;
}

}  // namespace solopo::cli
