// Contexts of a chosen length around a question's evidence: the supporting paragraphs, verbatim, among
// distractors.
//
// Distractors of a question are taken from one sequence, which depends only on the seed, the question's id
// and the pool. A context of length L takes the longest beginning of it that fits. So a longer context holds
// every paragraph of a shorter one, in the same order, and no context depends on which others are built.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "prompt_format.hpp"
#include "prompt_model.hpp"
#include "qa_reader.hpp"

namespace solopo::cli {

struct ContextOptions {
  std::uint64_t seed = 0;
  // Empty: each evidence paragraph at a place of its own, drawn uniformly. Else one of these a question, the
  // evidence together at that share of the distractors: 0 first, 1 last.
  std::vector<double> depths{};
  bool pooled = true;  // other questions' paragraphs may be distractors
  // 1: the question's own distractors (of its record or its article) first, then pooled ones. Less: an own
  // one is taken with this probability while there are any.
  double own_share = 1;
  std::int64_t longest_distractor = 300;  // tokens, 0: any; a longer one would end a context early
  PromptFormat format{};
};

// 1 for records that bring their own distractors, 0.5 for squad, where a whole article is the question's own.
double default_own_share(QaFormat format);

struct Context {
  std::vector<text::Message> prompt;  // one user turn
  std::int64_t tokens = 0;            // of the whole prompt: template and the head of the answer included
  std::int64_t distractors = 0;
  double depth = 0;  // mean share of the distractors before an evidence paragraph; 0 without distractors
};

class ContextBuilder {
 public:
  // `pool_questions`: where pooled distractors come from (of one split only); `extra`: more of them.
  ContextBuilder(std::span<const Question> pool_questions, std::span<const Paragraph> extra,
                 TokenCounter counter, ContextOptions options);
  ~ContextBuilder();
  ContextBuilder(ContextBuilder&&) noexcept;

  // A context of at most `target` tokens; target 0: the evidence alone, whatever its length.
  // Nothing when the evidence alone is over the target. `depth` overrides the options' depths.
  std::optional<Context> build(const Question& question, std::int64_t target,
                               std::optional<double> depth = std::nullopt);

  // Candidates refused so far, by reason ("contains the answer", "same text as the evidence").
  [[nodiscard]] const std::map<std::string, std::int64_t>& refused() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Paragraphs to lengthen contexts with: JSON Lines of {title, text}, or a prose text file cut into paragraphs
// of 40 to 200 words at its blank lines.
std::vector<Paragraph> read_distractors(const std::filesystem::path& path, std::string* sha256 = nullptr);

}  // namespace solopo::cli
