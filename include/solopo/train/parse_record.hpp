// One line of a file of preference records, read and checked field by field but not encoded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "solopo/core/error.hpp"
#include "solopo/io/json.hpp"
#include "solopo/train/record.hpp"
#include "solopo/train/record_encoder.hpp"

namespace solopo {

// One line of the file, before it is encoded.
struct RecordText {
  std::string id;
  std::optional<PromptText> prompt, prompt_long;
  std::string chosen;
  std::optional<std::string> rejected;
  std::optional<std::string> third;  // what it is, see ThirdResponse
  std::optional<double> score_chosen, score_rejected;
  std::optional<bool> label;  // of a record with one response, which is `chosen`: whether it is desirable
  bool chosen_finished = true, rejected_finished = true;  // false: cut in sampling
  std::string question;                                   // empty: not told
  SampledFrom sampled_from = SampledFrom::unknown;
  bool gold_chosen = false;
};

namespace record_detail {

// A line that is no preference record; becomes a DataError where file and line are known.
struct Fault {
  std::string field, reason;
};

[[noreturn]] inline void bad(std::string_view field, const std::string& reason) {
  throw Fault{std::string(field), reason};
}

inline const std::string& text_of(const io::Json& value, std::string_view field) {
  if (!value.is_string()) bad(field, "must be a string");
  return value.get_ref<const std::string&>();
}

inline text::Message message_of(const io::Json& value, std::string_view field) {
  if (!value.is_object() || !value.contains("role") || !value.contains("content")) {
    bad(field, "every message must be an object with role and content");
  }
  const std::string& role = text_of(value["role"], field);
  if (role != "system" && role != "user" && role != "assistant") {
    bad(field, "role '" + printable(role) + "' is none of system, user, assistant");
  }
  return {.role = role, .content = text_of(value["content"], field)};
}

inline PromptText prompt_of(const io::Json& value, std::string_view field) {
  PromptText out;
  if (value.is_string()) {
    out.text = value.get<std::string>();
    if (out.text.empty()) bad(field, "is empty");
    return out;
  }
  if (!value.is_array()) bad(field, "must be a string or a list of messages");
  if (value.empty()) bad(field, "is empty");
  for (const io::Json& message : value) out.messages.push_back(message_of(message, field));
  if (out.messages.back().role != "user") bad(field, "the last message must be the user's");
  return out;
}

inline std::string response_of(const io::Json& value, std::string_view field) {
  std::string out;
  if (value.is_array()) {
    if (value.size() != 1) bad(field, "must be one message of the assistant; the prompt stands apart");
    const text::Message message = message_of(value.front(), field);
    if (message.role != "assistant") bad(field, "must be a message of the assistant");
    out = message.content;
  } else if (value.is_string()) {
    out = value.get<std::string>();
  } else {
    bad(field, "must be a string or a list of one message");
  }
  if (out.find_first_not_of(" \t\r\n") == std::string::npos) bad(field, "is empty");
  return out;
}

// Leaves `out` as it is where there is no such field.
inline void read_truth(const io::Json& line, std::string_view field, bool& out) {
  const auto found = line.find(field);
  if (found == line.end()) return;
  if (!found->is_boolean()) bad(field, "must be true or false");
  out = found->get<bool>();
}

inline std::optional<double> score_of(const io::Json& line, std::string_view field) {
  const auto found = line.find(field);
  if (found == line.end()) return std::nullopt;
  if (!found->is_number()) bad(field, "must be a number");
  return found->get<double>();
}

// The field that holds the third response; empty when records do not hold it.
[[nodiscard]] constexpr std::string_view third_field(ThirdResponse third) noexcept {
  if (third == ThirdResponse::reference) return "reference";
  return third == ThirdResponse::second_rejected ? "rejected_2" : "";
}

// The responses: chosen and rejected, or the one completion of a labelled record.
inline void parse_responses(const io::Json& line, RecordText& out) {
  if (line.contains("completion")) {
    if (line.contains("chosen")) bad("completion", "stands beside chosen; give one of them");
    if (!line.contains("label")) bad("label", "is missing; a record with a completion needs it");
    out.chosen = response_of(line["completion"], "completion");
    bool label = true;
    read_truth(line, "label", label);
    out.label = label;
    return;
  }
  if (!line.contains("chosen")) bad("chosen", "is missing");
  out.chosen = response_of(line["chosen"], "chosen");
  if (line.contains("rejected")) out.rejected = response_of(line["rejected"], "rejected");
}

// What an objective reads besides prompts and the two responses; whatever it does not read may be anything.
inline void parse_extras(const io::Json& line, Needs needs, ThirdResponse third, RecordText& out) {
  if (has(needs, Needs::scores)) {
    out.score_chosen = score_of(line, "score_chosen");
    out.score_rejected = score_of(line, "score_rejected");
  }
  const std::string_view field = third_field(third);
  if (!field.empty() && line.contains(field)) out.third = response_of(line[std::string(field)], field);
}

// Throws Fault.
inline RecordText parse(const io::Json& line, std::uint64_t number, Needs needs = Needs::none,
                        ThirdResponse third = ThirdResponse::none) {
  if (!line.is_object()) bad("", "a line must be a JSON object");
  RecordText out;
  if (const auto id = line.find("id"); id != line.end()) {
    if (!id->is_string() && !id->is_number_integer()) bad("id", "must be a string or an integer");
    out.id = id->is_string() ? id->get<std::string>() : id->dump();
  } else {
    out.id = "line " + std::to_string(number);
  }
  const bool ours = line.contains("prompt_short"), theirs = line.contains("prompt");
  if (ours && theirs) bad("prompt", "stands beside prompt_short; give one of them");
  if (ours) out.prompt = prompt_of(line["prompt_short"], "prompt_short");
  if (theirs) out.prompt = prompt_of(line["prompt"], "prompt");
  if (line.contains("prompt_long")) out.prompt_long = prompt_of(line["prompt_long"], "prompt_long");
  if (!out.prompt && !out.prompt_long) bad("prompt", "is missing (prompt_short, prompt_long or prompt)");
  parse_responses(line, out);
  parse_extras(line, needs, third, out);
  if (line.contains("question")) out.question = text_of(line["question"], "question");
  if (const auto from = line.find("sampled_from"); from != line.end()) {
    const std::string& name = text_of(*from, "sampled_from");
    if (name != "short" && name != "long") bad("sampled_from", "must be short or long");
    out.sampled_from = name == "short" ? SampledFrom::short_prompt : SampledFrom::long_prompt;
  }
  read_truth(line, "gold_chosen", out.gold_chosen);
  read_truth(line, "chosen_finished", out.chosen_finished);
  read_truth(line, "rejected_finished", out.rejected_finished);
  return out;
}

}  // namespace record_detail

}  // namespace solopo
