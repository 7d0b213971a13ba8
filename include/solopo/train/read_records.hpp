// Preference records from JSONL: ours ({"id", "prompt_short", "prompt_long", "chosen", "rejected",
// "sampled_from"}) and TRL's ({"prompt", "chosen", "rejected"}), each prompt a string or a list of messages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/jsonl.hpp"
#include "solopo/train/fit_prompt.hpp"
#include "solopo/train/record.hpp"
#include "solopo/train/record_encoder.hpp"

namespace solopo {

// What to do with a record whose prompt and response do not fit max_length together.
enum class TooLong {
  refuse,  // an error
  drop,    // leave the record out, counted
  middle   // cut the middle of the context, never the question or a response, counted
};

[[nodiscard]] inline std::optional<TooLong> find_too_long(std::string_view name) noexcept {
  if (name == "refuse") return TooLong::refuse;
  if (name == "drop") return TooLong::drop;
  if (name == "middle") return TooLong::middle;
  return std::nullopt;
}

struct RecordOptions {
  Needs needs = Needs::none;  // of the objective; a prompt or response that it does not read is not encoded
  TrainContext context = TrainContext::short_prompt;
  std::size_t max_length = 0;  // tokens of prompt and longest response, 0: any
  TooLong too_long = TooLong::refuse;
  bool keep_equal = false;  // keep records whose responses are the same
  bool read_extra = false;  // also encode a long prompt that no role reads, where there is one
  std::size_t max_bad = 0;  // unreadable lines left out before giving up
};

// What became of the lines of a file.
struct RecordCounts {
  std::size_t lines = 0;  // not blank
  std::size_t kept = 0;
  std::size_t bad = 0;          // unreadable, within max_bad
  std::size_t equal = 0;        // dropped: chosen equals rejected as text or as ids
  std::size_t too_long = 0;     // dropped: do not fit (rule drop)
  std::size_t no_room = 0;      // dropped: question and response alone do not fit (rules drop, middle)
  std::size_t cut = 0;          // kept, the middle of a context cut (rule middle)
  std::size_t edge_merges = 0;  // kept, prompt and response would encode otherwise as one text
  std::size_t gold_chosen = 0;  // kept, chosen is the data set's answer
};

struct RecordFile {
  std::vector<PreferenceRecord> records;
  std::vector<io::Json> lines;  // of the kept records, as read; only with read_extra
  RecordCounts counts;
  std::vector<std::string> notes;  // where and why for the first 20 lines that were left out
};

// One line of the file, before it is encoded.
struct RecordText {
  std::string id;
  std::optional<PromptText> prompt, prompt_long;
  std::string chosen;
  std::optional<std::string> rejected;
  std::string question;  // empty: not told
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

// Throws Fault.
inline RecordText parse(const io::Json& line, std::uint64_t number) {
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
  if (!line.contains("chosen")) bad("chosen", "is missing");
  out.chosen = response_of(line["chosen"], "chosen");
  if (line.contains("rejected")) out.rejected = response_of(line["rejected"], "rejected");
  if (line.contains("question")) out.question = text_of(line["question"], "question");
  if (const auto from = line.find("sampled_from"); from != line.end()) {
    const std::string& name = text_of(*from, "sampled_from");
    if (name != "short" && name != "long") bad("sampled_from", "must be short or long");
    out.sampled_from = name == "short" ? SampledFrom::short_prompt : SampledFrom::long_prompt;
  }
  if (const auto gold = line.find("gold_chosen"); gold != line.end()) {
    if (!gold->is_boolean()) bad("gold_chosen", "must be true or false");
    out.gold_chosen = gold->get<bool>();
  }
  return out;
}

}  // namespace record_detail

// Refuses a record that the objective and context cannot use. Throws DataError naming what is missing or
// wrong.
inline void check_record_fits_context(const RecordText& record, const RecordOptions& options,
                                      const FilePosition& where) {
  const auto refuse = [&](std::string_view field, const std::string& reason) {
    FilePosition position = where;
    position.field = field;
    throw DataError("context", std::move(position), reason);
  };
  const std::string context(train_context_name(options.context));
  if (!record.rejected &&
      static_cast<unsigned>(options.needs & (Needs::rejected | Needs::rejected_long)) != 0) {
    refuse("rejected", "is missing, and the objective reads it");
  }
  if (!record.prompt && reads_prompt(options.needs, options.context, false)) {
    refuse("prompt_short", "is missing, and the objective reads it with --context " + context);
  }
  if (!record.prompt_long && reads_prompt(options.needs, options.context, true)) {
    refuse("prompt_long", "is missing, and the objective reads it with --context " + context +
                              "; an objective that needs no long prompt can use this record");
  }
  if (options.context == TrainContext::long_prompt && record.sampled_from == SampledFrom::short_prompt) {
    refuse("sampled_from",
           "the responses were sampled from the short prompt; training them in the long context "
           "is --context expand, not long");
  }
  if (options.context == TrainContext::expand && record.sampled_from == SampledFrom::long_prompt) {
    refuse("sampled_from",
           "the responses were sampled from the long prompt; that is --context long, not expand");
  }
}

// Turns records' text into ids and counts what it leaves out.
class RecordBuilder {
 public:
  RecordBuilder(RecordEncoder encoder, RecordOptions options)
      : encoder_(std::move(encoder)), options_(options) {}

  // Nothing when the record is dropped. Throws DataError ("context", "too_long", "record").
  [[nodiscard]] std::optional<PreferenceRecord> build(const RecordText& source, const FilePosition& where) {
    check_record_fits_context(source, options_, where);
    constexpr Needs both = Needs::rejected | Needs::rejected_long;
    const bool reads_rejected = static_cast<unsigned>(options_.needs & both) != 0;
    PreferenceRecord out{.id = source.id,
                         .prompt = {},
                         .prompt_long = {},
                         .chosen = encoder_.response(source.chosen),
                         .rejected = {},
                         .sampled_from = source.sampled_from,
                         .gold_chosen = source.gold_chosen};
    if (reads_rejected) {
      out.rejected = encoder_.response(*source.rejected);
      if (!options_.keep_equal && (source.chosen == *source.rejected || out.chosen == out.rejected)) {
        ++counts_.equal;
        note(where, "chosen equals rejected");
        return std::nullopt;
      }
    }
    const std::size_t response = std::max(out.chosen.size(), out.rejected.size());
    bool cut = false, merges = false;
    const auto encode = [&](const std::optional<PromptText>& prompt, std::vector<std::int32_t>& ids,
                            std::string_view field) {
      ids = encoder_.prompt(*prompt);
      if (ids.empty()) record_detail::bad(field, "encodes to no token");
      merges = merges || encoder_.merges_across_edge(*prompt, source.chosen) ||
               (reads_rejected && encoder_.merges_across_edge(*prompt, *source.rejected));
      if (options_.max_length == 0 || ids.size() + response <= options_.max_length) return true;
      return shorten(*prompt, source.question, response, where, field, ids, cut);
    };
    const bool reads_short = reads_prompt(options_.needs, options_.context, false);
    const bool reads_long = reads_prompt(options_.needs, options_.context, true);
    if (reads_short && !encode(source.prompt, out.prompt, "prompt")) return std::nullopt;
    if ((reads_long || (options_.read_extra && source.prompt_long)) &&
        !encode(source.prompt_long, out.prompt_long, "prompt_long")) {
      return std::nullopt;
    }
    counts_.cut += cut;
    counts_.edge_merges += merges;
    counts_.gold_chosen += source.gold_chosen;
    ++counts_.kept;
    return out;
  }

  void note(const FilePosition& where, const std::string& reason) {
    if (notes_.size() < 20) notes_.push_back(where.describe() + ": " + reason);
  }

  [[nodiscard]] RecordCounts& counts() noexcept { return counts_; }
  [[nodiscard]] std::vector<std::string>& notes() noexcept { return notes_; }

 private:
  // Applies the rule for records that are too long; false: dropped.
  bool shorten(const PromptText& prompt, std::string_view question, std::size_t response,
               const FilePosition& where, std::string_view field, std::vector<std::int32_t>& ids, bool& cut) {
    const std::string sizes = std::string(field) + " of " + std::to_string(ids.size()) + " and response of " +
                              std::to_string(response) + " tokens exceed " +
                              std::to_string(options_.max_length);
    if (options_.too_long == TooLong::refuse) {
      FilePosition position = where;
      position.field = field;
      throw DataError("too_long", std::move(position),
                      sizes + "; --too-long drop leaves such records out, middle cuts their context");
    }
    if (options_.too_long == TooLong::drop) {
      ++counts_.too_long;
      note(where, sizes);
      return false;
    }
    std::optional<std::vector<std::int32_t>> fitted;
    if (response < options_.max_length) {
      fitted = fit_prompt(prompt, question, options_.max_length - response, encoder_);
    }
    if (!fitted) {
      ++counts_.no_room;
      note(where, sizes + ", and no context is left to cut");
      return false;
    }
    ids = *std::move(fitted);
    cut = true;
    return true;
  }

  RecordEncoder encoder_;
  RecordOptions options_;
  RecordCounts counts_;
  std::vector<std::string> notes_;
};

// Reads a whole file. Throws DataError with file, line and field past max_bad unreadable lines, for a record
// that does not fit the objective, for one that is too long under the rule refuse, and when no record is
// left.
[[nodiscard]] inline RecordFile read_records(const std::filesystem::path& path, const RecordEncoder& encoder,
                                             const RecordOptions& options) {
  io::JsonlReader reader(path, {.max_bad = options.max_bad});
  RecordBuilder builder(encoder, options);
  RecordFile out;
  while (std::optional<io::JsonlRecord> line = reader.next()) {
    const FilePosition where{.file = path.string(), .line = line->line, .field = {}};
    ++builder.counts().lines;
    try {
      std::optional<PreferenceRecord> record =
          builder.build(record_detail::parse(line->value, line->line), where);
      if (!record) continue;
      out.records.push_back(std::move(*record));
      if (options.read_extra) out.lines.push_back(std::move(line->value));
    } catch (const record_detail::Fault& fault) {
      reader.reject(line->line, "record", fault.field, fault.reason);
    }
  }
  out.counts = builder.counts();
  out.counts.bad = reader.bad_lines().size();
  for (const io::BadLine& line : reader.bad_lines()) {
    builder.note({.file = path.string(), .line = line.line, .field = line.field}, line.reason);
  }
  out.notes = std::move(builder.notes());
  if (out.records.empty()) {
    const std::string first = out.notes.empty() ? "" : "; the first: " + out.notes.front();
    throw DataError("no_records", {.file = path.string(), .field = {}},
                    "none of " + std::to_string(out.counts.lines) + " records is left" + first);
  }
  return out;
}

}  // namespace solopo
