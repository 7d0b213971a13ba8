#include "question_split.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "solopo/core/random.hpp"
#include "usage_error.hpp"

namespace solopo::cli {

Split split_groups(const std::vector<Question>& questions, const SplitOptions& options) {
  if (options.part != "train" && options.part != "test")
    throw UsageError("--split '" + printable(options.part) + "': there are train, test");
  if (options.by.empty()) {
    if (options.train != 0 || options.test != 0)
      throw UsageError("--train and --test are numbers of articles and need --split-by article");
    return {};
  }
  if (options.by != "article")
    throw UsageError("--split-by '" + printable(options.by) + "': there is article");
  if (options.train < 0 || options.test < 0 || options.train + options.test == 0) {
    throw UsageError("a split by article needs --train and --test: numbers of articles");
  }
  std::vector<std::string> groups;
  std::unordered_set<std::string> seen;
  for (const Question& question : questions) {
    if (question.group.empty())
      throw UsageError("--split-by article needs a file with articles, such as SQuAD");
    if (seen.insert(question.group).second) groups.push_back(question.group);
  }
  if (static_cast<std::int64_t>(groups.size()) < options.train + options.test) {
    throw UsageError("--train " + std::to_string(options.train) + " --test " + std::to_string(options.test) +
                     ": the file has only " + std::to_string(groups.size()) +
                     " articles with usable questions");
  }
  const auto first_test = groups.begin() + options.train;
  return {.train = {groups.begin(), first_test}, .test = {first_test, first_test + options.test}};
}

std::vector<Question> select_split(std::vector<Question> questions, const SplitOptions& options) {
  const Split split = split_groups(questions, options);
  if (options.by.empty()) return questions;
  return select_groups(std::move(questions), options.part == "train" ? split.train : split.test);
}

std::vector<Question> select_groups(std::vector<Question> questions, const std::vector<std::string>& groups) {
  const std::unordered_set<std::string> wanted(groups.begin(), groups.end());
  std::erase_if(questions, [&](const Question& question) { return wanted.count(question.group) == 0; });
  return questions;
}

std::vector<Question> seeded_order(std::vector<Question> questions, std::uint64_t seed, std::int64_t limit) {
  struct Place {
    std::uint64_t key;
    std::size_t index;
  };
  std::vector<Place> places;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    places.push_back({RandomStream(seed, "question order", hash_name(questions[i].id)).next(), i});
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return a.key != b.key ? a.key < b.key : a.index < b.index;
  });
  if (limit > 0 && static_cast<std::size_t>(limit) < places.size())
    places.resize(static_cast<std::size_t>(limit));
  std::vector<Question> out;
  for (const Place& place : places) out.push_back(std::move(questions[place.index]));
  return out;
}

}  // namespace solopo::cli
