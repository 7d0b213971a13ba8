#include "context_builder.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "answer_match.hpp"
#include "solopo/core/random.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

// A paragraph that may be a distractor, with what is asked of it again and again.
struct Candidate {
  Paragraph paragraph;
  std::string group;
  std::string passage;      // rendered; empty: not asked for yet
  std::string normalised;   // title and text
  std::int64_t tokens = 0;  // of the passage and a separator
};

std::string text_key(const Paragraph& paragraph) { return paragraph.title + '\n' + paragraph.text; }

// Draws without replacement from {0 .. n-1}: Fisher-Yates on an array of which only the changed cells are
// stored.
class LazyShuffle {
 public:
  LazyShuffle(std::size_t n, RandomStream random) : left_(n), random_(random) {}
  [[nodiscard]] bool empty() const { return left_ == 0; }
  std::size_t draw() {
    const std::size_t pick = random_.below(left_);
    const std::size_t value = cell(pick);
    moved_[pick] = cell(--left_);
    return value;
  }

 private:
  [[nodiscard]] std::size_t cell(std::size_t i) const {
    const auto found = moved_.find(i);
    return found == moved_.end() ? i : found->second;
  }
  std::size_t left_;
  RandomStream random_;
  std::unordered_map<std::size_t, std::size_t> moved_;
};

// A paragraph of the context at hand and the place it was drawn: paragraphs stand in the order of their
// places.
struct Placed {
  const std::string* passage;
  double place;
};

bool earlier(const Placed& a, const Placed& b) { return a.place < b.place; }

}  // namespace

double default_own_share(QaFormat format) { return format == QaFormat::squad ? 0.5 : 1.0; }

struct ContextBuilder::State {
  TokenCounter counter;
  ContextOptions options;
  std::deque<Candidate> store;                         // the pool, then own paragraphs met later
  std::size_t pool_size = 0;                           // only store[0 .. pool_size) are pooled
  std::unordered_map<std::string, std::size_t> index;  // text_key -> place in the store
  std::unordered_map<std::string, std::vector<std::size_t>> groups;  // article -> places in the pool
  std::map<std::string, std::int64_t> refused;

  std::size_t add(const Paragraph& paragraph, const std::string& group) {
    const auto [found, is_new] = index.emplace(text_key(paragraph), store.size());
    if (is_new)
      store.push_back({.paragraph = paragraph, .group = group, .passage = "", .normalised = "", .tokens = 0});
    return found->second;
  }

  const Candidate& prepared(std::size_t i) {
    Candidate& candidate = store[i];
    if (candidate.passage.empty()) {
      candidate.passage = render_passage(options.format, candidate.paragraph);
      candidate.normalised = normalise_answer(candidate.paragraph.title + " " + candidate.paragraph.text);
      candidate.tokens = counter.piece(candidate.passage + options.format.separator);
    }
    return candidate;
  }

  [[nodiscard]] std::vector<text::Message> render(const Question& question,
                                                  const std::vector<Placed>& placed) const {
    std::vector<std::string> passages;
    for (const Placed& p : placed) passages.push_back(*p.passage);
    return {{.role = "user", .content = render_turn(options.format, passages, question.question)}};
  }

  std::vector<std::size_t> own_distractors(const Question& question);
  template <class Take>
  void each_distractor(const Question& question, Take take);
};

// The non-supporting paragraphs of its record and the paragraphs of its article.
std::vector<std::size_t> ContextBuilder::State::own_distractors(const Question& question) {
  std::vector<std::size_t> own;
  for (const Paragraph& paragraph : question.paragraphs) {
    if (!paragraph.supporting) own.push_back(add(paragraph, question.group));
  }
  if (!question.group.empty()) {
    if (const auto found = groups.find(question.group); found != groups.end()) {
      own.insert(own.end(), found->second.begin(), found->second.end());
    }
  }
  return own;
}

// Calls take(candidate) for the question's distractors, in their order, until it returns false.
template <class Take>
void ContextBuilder::State::each_distractor(const Question& question, Take take) {
  const std::uint64_t key = hash_name(question.id);
  std::vector<std::string> answers;
  for (const std::string& answer : question.answers) answers.push_back(normalise_answer(answer));
  std::unordered_set<std::string> taken;  // text keys of the evidence and of what was offered
  for (const Paragraph& paragraph : question.paragraphs) {
    if (paragraph.supporting) taken.insert(text_key(paragraph));
  }

  const std::vector<std::size_t> own = own_distractors(question);
  LazyShuffle own_order(own.size(), RandomStream(options.seed, "own distractors", key));
  LazyShuffle pool_order(options.pooled ? pool_size : 0,
                         RandomStream(options.seed, "pooled distractors", key));
  RandomStream source(options.seed, "source of distractors", key);

  while (!own_order.empty() || !pool_order.empty()) {
    const bool wants_own = source.uniform() < options.own_share;
    const bool from_own = !own_order.empty() && (wants_own || pool_order.empty());
    const Candidate& candidate = prepared(from_own ? own[own_order.draw()] : pool_order.draw());
    if (!from_own && !question.group.empty() && candidate.group == question.group) continue;  // counts as own
    if (!taken.insert(text_key(candidate.paragraph)).second) continue;
    const bool answers_it = std::any_of(answers.begin(), answers.end(), [&](const std::string& a) {
      return contains_words(candidate.normalised, a);
    });
    if (answers_it) {
      ++refused["contains the answer"];
    } else if (options.longest_distractor > 0 && candidate.tokens > options.longest_distractor) {
      ++refused["over longest_distractor"];
    } else if (!take(candidate)) {
      return;
    }
  }
}

ContextBuilder::ContextBuilder(std::span<const Question> pool_questions, std::span<const Paragraph> extra,
                               TokenCounter counter, ContextOptions options)
    : state_(std::make_unique<State>()) {
  check_prompt_format(options.format);
  for (const double depth : options.depths) {
    if (!(depth >= 0 && depth <= 1))
      throw UsageError("an evidence depth lies between 0 and 1, not at " + std::to_string(depth));
  }
  if (!(options.own_share >= 0 && options.own_share <= 1))
    throw UsageError("the share of own distractors lies between 0 and 1");
  state_->counter = std::move(counter);
  state_->options = std::move(options);
  for (const Question& question : pool_questions) {
    for (const Paragraph& paragraph : question.paragraphs) {
      const std::size_t before = state_->store.size(), i = state_->add(paragraph, question.group);
      if (i == before && !question.group.empty()) state_->groups[question.group].push_back(i);
    }
  }
  for (const Paragraph& paragraph : extra) state_->add(paragraph, "");
  state_->pool_size = state_->store.size();
}

ContextBuilder::~ContextBuilder() = default;
ContextBuilder::ContextBuilder(ContextBuilder&&) noexcept = default;

std::optional<Context> ContextBuilder::build(const Question& question, std::int64_t target,
                                             std::optional<double> depth) {
  const ContextOptions& options = state_->options;
  const std::uint64_t key = hash_name(question.id);

  std::vector<std::string> evidence_passages;
  for (const Paragraph& paragraph : question.paragraphs) {
    if (paragraph.supporting) evidence_passages.push_back(render_passage(options.format, paragraph));
  }
  std::vector<Placed> evidence, distractors;
  RandomStream evidence_places(options.seed, "places of the evidence", key);
  for (const std::string& passage : evidence_passages)
    evidence.push_back({&passage, evidence_places.uniform()});
  std::sort(evidence.begin(), evidence.end(), earlier);

  Context out;
  out.prompt = state_->render(question, evidence);
  out.tokens = state_->counter.prompt(out.prompt);
  if (target == 0) return out;
  if (out.tokens > target) return std::nullopt;

  // The longest beginning of the question's distractors that fits, by the sum of the parts ...
  RandomStream places(options.seed, "places of the distractors", key);
  std::int64_t sum = out.tokens;
  state_->each_distractor(question, [&](const Candidate& candidate) {
    sum += candidate.tokens;
    if (sum > target) return false;
    distractors.push_back({&candidate.passage, places.uniform()});
    return true;
  });

  // ... and by the tokens of the whole: text may be cut differently across a seam.
  if (!depth && !options.depths.empty()) {
    depth = options.depths[RandomStream(options.seed, "depth", key).below(options.depths.size())];
  }
  for (; !distractors.empty(); distractors.pop_back()) {
    std::vector<Placed> placed = distractors;
    std::sort(placed.begin(), placed.end(), earlier);
    const double count = static_cast<double>(placed.size());
    double before = 0;
    if (depth) {
      const auto at = static_cast<std::ptrdiff_t>(std::llround(*depth * count));
      placed.insert(placed.begin() + at, evidence.begin(), evidence.end());
      before = static_cast<double>(at);
    } else {
      for (const Placed& e : evidence) {
        before += static_cast<double>(
            std::count_if(placed.begin(), placed.end(), [&](const Placed& d) { return earlier(d, e); }));
      }
      before /= static_cast<double>(evidence.size());
      placed.insert(placed.end(), evidence.begin(), evidence.end());
      std::sort(placed.begin(), placed.end(), earlier);
    }
    Context candidate;
    candidate.prompt = state_->render(question, placed);
    candidate.tokens = state_->counter.prompt(candidate.prompt);
    candidate.distractors = static_cast<std::int64_t>(distractors.size());
    candidate.depth = before / count;
    if (candidate.tokens <= target) return candidate;
  }
  return out;
}

const std::map<std::string, std::int64_t>& ContextBuilder::refused() const { return state_->refused; }

}  // namespace solopo::cli
