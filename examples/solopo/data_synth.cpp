#include "data_synth.hpp"

#include <algorithm>
#include <cstddef>
#include <ostream>
#include <set>
#include <utility>
#include <vector>

#include "solopo/core/random.hpp"
#include "solopo/io/jsonl.hpp"
#include "text_file.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

struct Words {
  std::vector<std::string> keys, first, second, fillers;
  std::size_t fewest_fillers = 0, most_fillers = 0;
};

Words parse_words(std::string_view json_text, const std::string& name) {
  const io::Json json = parse_record(json_text, name, 0);
  const auto list = [&](const char* member) {
    std::vector<std::string> out;
    if (json.contains(member) && json[member].is_array()) {
      for (const io::Json& word : json[member]) {
        if (word.is_string()) out.push_back(word.get<std::string>());
      }
    }
    if (out.empty()) throw DataError("field", {.file = name, .field = member}, "expected a list of words");
    return out;
  };
  const auto count = [&](const char* place) {
    const io::Json::json_pointer pointer(place);
    if (!json.contains(pointer) || !json[pointer].is_number_unsigned())
      throw DataError("field", {.file = name, .field = place}, "expected a count");
    return json[pointer].get<std::size_t>();
  };
  Words out{.keys = list("keys"),
            .first = list("values_first"),
            .second = list("values_second"),
            .fillers = list("fillers"),
            .fewest_fillers = count("/fillers_per_document/min"),
            .most_fillers = count("/fillers_per_document/max")};
  if (out.fewest_fillers > out.most_fillers)
    throw DataError("field", {.file = name, .field = "fillers_per_document"}, "min is above max");
  return out;
}

// One question among documents with keys of their own and pairs of values of their own, in musique's form.
io::Json synthetic_question(const Words& words, std::size_t documents, const std::string& id,
                            RandomStream random) {
  std::vector<std::string> keys = words.keys;
  random.shuffle(keys);
  const std::size_t asked = random.below(documents);
  std::set<std::pair<std::size_t, std::size_t>> used;
  std::string answer;
  io::Json paragraphs = io::Json::array();
  for (std::size_t i = 0; i < documents; ++i) {
    std::pair<std::size_t, std::size_t> values;
    do {
      values.first = random.below(words.first.size());
      values.second = random.below(words.second.size());
    } while (!used.insert(values).second);
    const std::string value = words.first[values.first] + " " + words.second[values.second];
    std::string text = value;
    const std::size_t fillers =
        words.fewest_fillers + random.below(words.most_fillers - words.fewest_fillers + 1);
    for (std::size_t k = 0; k < fillers; ++k) text += " " + words.fillers[random.below(words.fillers.size())];
    if (i == asked) answer = value;
    paragraphs.push_back(
        {{"idx", i}, {"title", keys[i]}, {"paragraph_text", text}, {"is_supporting", i == asked}});
  }
  return {{"id", id},           {"question", keys[asked]},
          {"answer", answer},   {"answer_aliases", io::Json::array()},
          {"answerable", true}, {"paragraphs", paragraphs}};
}

}  // namespace

std::string_view synth_words() {
  static constexpr std::string_view words =
#include "synth_words.inc"
      ;
  return words;
}

PromptFormat synth_prompt_format() {
  return prompt_format_from_json(parse_record(synth_words(), "built-in words", 0)["prompt_format"]);
}

void run_data_synth(const SynthOptions& options, std::ostream& log) {
  if (options.count <= 0) throw UsageError("--count must be above 0");
  if (options.purpose.empty()) throw UsageError("--purpose must not be empty");
  const Words words = options.words.empty()
                          ? parse_words(synth_words(), "built-in words")
                          : parse_words(read_text_file(options.words), options.words.string());
  const std::size_t most = std::min(words.keys.size(), words.first.size() * words.second.size());
  if (options.documents <= 0 || static_cast<std::size_t>(options.documents) > most) {
    throw UsageError("--documents must lie between 1 and " + std::to_string(most) + ", the number of keys");
  }
  io::JsonlWriter out(options.out);
  for (std::int64_t i = 0; i < options.count; ++i) {
    const std::string id = options.purpose + "-" + std::to_string(options.seed) + "-" + std::to_string(i);
    const RandomStream random(options.seed, "synthetic questions for " + options.purpose,
                              static_cast<std::uint64_t>(i));
    out.write(synthetic_question(words, static_cast<std::size_t>(options.documents), id, random));
  }
  out.commit();
  log << options.out.string() << ": " << options.count << " questions, " << options.documents
      << " documents each\n";
}

}  // namespace solopo::cli
