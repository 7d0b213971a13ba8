// Preference records from JSONL: ours ({"id", "prompt_short", "prompt_long", "chosen", "rejected",
// "sampled_from"}) and TRL's ({"prompt", "chosen", "rejected"} or {"prompt", "completion", "label"}), each
// prompt a string or a list of messages. Some objectives read "score_chosen" and "score_rejected",
// "reference" or "rejected_2" besides. One that reads labels takes a record of two responses as two records
// of one. "chosen_finished": false and "rejected_finished": false mark responses that were cut in sampling.
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
#include "solopo/train/parse_record.hpp"
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
  ThirdResponse third = ThirdResponse::none;  // of the objective
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
  std::size_t split = 0;        // lines of two responses that were read as two records
  std::size_t bad = 0;          // unreadable, within max_bad
  std::size_t equal = 0;        // dropped: chosen equals rejected as text or as ids
  std::size_t too_long = 0;     // dropped: do not fit (rule drop)
  std::size_t no_room = 0;      // dropped: question and response alone do not fit (rules drop, middle)
  std::size_t cut = 0;          // kept, the middle of a context cut (rule middle)
  std::size_t edge_merges = 0;  // kept, prompt and response would encode otherwise as one text
  std::size_t gold_chosen = 0;  // kept, chosen is the data set's answer
  std::size_t unfinished = 0;   // kept, a response that is read was cut in sampling
};

struct RecordFile {
  std::vector<PreferenceRecord> records;
  std::vector<io::Json> lines;  // of the kept records, as read; only with read_extra
  RecordCounts counts;
  std::vector<std::string> notes;  // where and why for the first 20 lines that were left out
};

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
  if (record.label && !has(options.needs, Needs::label)) {
    refuse("label", "belongs to records with one response; the objective reads no label (kto and bco do)");
  }
  if (!record.label && has(options.needs, Needs::label)) {
    refuse("label", "is missing, and so is a rejected response; the objective reads either");
  }
  if (!record.rejected && has_any(options.needs, Needs::rejected | Needs::rejected_long)) {
    refuse("rejected", "is missing, and the objective reads it");
  }
  if (has(options.needs, Needs::scores)) {
    if (!record.score_chosen) refuse("score_chosen", "is missing, and the objective reads it");
    if (!record.score_rejected) refuse("score_rejected", "is missing, and the objective reads it");
    if (!(*record.score_chosen > *record.score_rejected))
      refuse("score_chosen", "is not above score_rejected; the chosen response must be the better one");
  }
  if (const std::string_view field = record_detail::third_field(options.third);
      !field.empty() && !record.third) {
    refuse(field, "is missing, and the objective reads it");
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
    const bool reads_rejected = has_any(options_.needs, Needs::rejected | Needs::rejected_long);
    PreferenceRecord out{.id = source.id,
                         .prompt = {},
                         .prompt_long = {},
                         .chosen = encoder_.response(source.chosen, source.chosen_finished),
                         .rejected = {},
                         .third = {},
                         .score_chosen = static_cast<float>(source.score_chosen.value_or(0)),
                         .score_rejected = static_cast<float>(source.score_rejected.value_or(0)),
                         .label = source.label.value_or(false) ? 1.0f : 0.0f,
                         .sampled_from = source.sampled_from,
                         .gold_chosen = source.gold_chosen};
    if (reads_rejected) {
      out.rejected = encoder_.response(*source.rejected, source.rejected_finished);
      if (!options_.keep_equal && (source.chosen == *source.rejected || out.chosen == out.rejected)) {
        drop_equal(where);
        return std::nullopt;
      }
    }
    if (source.third) out.third = encoder_.response(*source.third);
    const std::size_t response = std::max({out.chosen.size(), out.rejected.size(), out.third.size()});
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
    counts_.unfinished += !source.chosen_finished || (reads_rejected && !source.rejected_finished);
    ++counts_.kept;
    return out;
  }

  // The records that a line stands for: itself, or where the objective reads labels one for each response.
  // None when it is dropped.
  [[nodiscard]] std::vector<RecordText> records_of(RecordText line, const FilePosition& where) {
    if (!has(options_.needs, Needs::label) || line.label || !line.rejected) return {std::move(line)};
    if (!options_.keep_equal && line.chosen == *line.rejected) {
      drop_equal(where);
      return {};
    }
    ++counts_.split;
    RecordText desirable = line, undesirable = std::move(line);
    undesirable.chosen = *undesirable.rejected;
    undesirable.chosen_finished = undesirable.rejected_finished;
    undesirable.gold_chosen = false;
    desirable.id += " chosen";
    undesirable.id += " rejected";
    desirable.label = true;
    undesirable.label = false;
    desirable.rejected.reset();
    undesirable.rejected.reset();
    return {std::move(desirable), std::move(undesirable)};
  }

  void note(const FilePosition& where, const std::string& reason) {
    if (notes_.size() < 20) notes_.push_back(where.describe() + ": " + reason);
  }

  [[nodiscard]] RecordCounts& counts() noexcept { return counts_; }
  [[nodiscard]] std::vector<std::string>& notes() noexcept { return notes_; }

 private:
  void drop_equal(const FilePosition& where) {
    ++counts_.equal;
    note(where, "chosen equals rejected");
  }

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

// Gives every record as its third response the answer of the next record in the file, the first after the
// last, that has another prompt and fits. Throws DataError when a record has no such neighbour.
inline void give_unmatched(std::vector<PreferenceRecord>& records, std::size_t max_length,
                           const std::filesystem::path& path) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    PreferenceRecord& record = records[i];
    const std::size_t prompt = std::max(record.prompt.size(), record.prompt_long.size());
    for (std::size_t step = 1; step < records.size() && record.third.empty(); ++step) {
      const PreferenceRecord& other = records[(i + step) % records.size()];
      if (other.prompt == record.prompt && other.prompt_long == record.prompt_long) continue;
      if (max_length == 0 || prompt + other.chosen.size() <= max_length) record.third = other.chosen;
    }
    if (record.third.empty()) {
      throw DataError("unmatched", {.file = path.string(), .field = {}},
                      "no other record's answer fits the prompt of record '" + printable(record.id) +
                          "'; the objective scores each prompt with another prompt's answer");
    }
  }
}

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
      RecordText text = record_detail::parse(line->value, line->line, options.needs, options.third);
      for (const RecordText& one : builder.records_of(std::move(text), where)) {
        std::optional<PreferenceRecord> record = builder.build(one, where);
        if (!record) continue;
        out.records.push_back(std::move(*record));
        if (options.read_extra) out.lines.push_back(line->value);
      }
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
  if (options.third == ThirdResponse::unmatched) give_unmatched(out.records, options.max_length, path);
  return out;
}

}  // namespace solopo
