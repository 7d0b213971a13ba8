// Small question-answering files, a folder that goes away, and a tokenizer that needs no file: one token a
// word.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "prompt_model.hpp"
#include "qa_reader.hpp"
#include "solopo/io/json.hpp"

namespace data_fixture {

using namespace solopo;
using namespace solopo::cli;
using io::Json;

class Folder {
 public:
  Folder() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("solopo-data-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  std::filesystem::path write(const std::string& name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<Json> lines_of(const std::filesystem::path& path) {
  std::vector<Json> out;
  std::istringstream text(content_of(path));
  for (std::string line; std::getline(text, line);) out.push_back(Json::parse(line));
  return out;
}

inline std::int64_t count_words(std::string_view text) {
  std::istringstream words{std::string(text)};
  std::int64_t n = 0;
  for (std::string word; words >> word;) ++n;
  return n;
}

// A word is a token; the template costs 3. `seam` more tokens appear a blank line, which the pieces do not
// show.
inline TokenCounter word_counter(std::int64_t seam = 0) {
  return {.piece = count_words, .prompt = [seam](std::span<const text::Message> messages) {
            std::int64_t n = 3;
            for (const text::Message& message : messages) {
              n += count_words(message.content);
              for (std::size_t at = message.content.find("\n\n"); at != std::string::npos;
                   at = message.content.find("\n\n", at + 2)) {
                n += seam;
              }
            }
            return n;
          }};
}

inline Json paragraph(int idx, const std::string& title, const std::string& text, bool supporting) {
  return {{"idx", idx}, {"title", title}, {"paragraph_text", text}, {"is_supporting", supporting}};
}

// Question n: two supporting paragraphs of 10 words, four distractors of 12, one of which gives the answer
// away.
inline Json musique_record(int n) {
  const std::string k = std::to_string(n);
  const auto filler = [&](int i) {
    return "Filler " + k + "-" + std::to_string(i) + " speaks of rivers, hills, roads, towns, trees, birds.";
  };
  return {{"id", "q" + k},
          {"question", "Who built bridge " + k + "?"},
          {"answer", "Mason Alpha" + k},
          {"answer_aliases", {"M. Alpha" + k}},
          {"answerable", true},
          {"paragraphs",
           {paragraph(0, "Town " + k, filler(0), false),
            paragraph(1, "Bridge " + k, "The bridge numbered " + k + " stands in a green valley.", true),
            paragraph(2, "Lake " + k, filler(1), false),
            paragraph(3, "Masons", "It was the mason alpha" + k + " who built bridge " + k + ".", true),
            paragraph(4, "Spoiler " + k,
                      "Everyone knows that Mason Alpha" + k + " was a famous builder here.", false),
            paragraph(5, "Hill " + k, filler(2), false)}}};
}

inline std::string musique_file(int records) {
  std::string out;
  for (int i = 0; i < records; ++i) out += musique_record(i).dump() + "\n";
  return out;
}

inline QaFile parse(std::string bytes, QaFormat format = QaFormat::musique,
                    const QaReadOptions& options = {}) {
  return parse_questions(std::move(bytes), "test file", format, options);
}

// Articles of paragraphs of one answerable and one unanswerable question each.
inline Json squad_file(int articles, int paragraphs) {
  Json data = Json::array();
  for (int a = 0; a < articles; ++a) {
    Json list = Json::array();
    for (int p = 0; p < paragraphs; ++p) {
      const std::string k = std::to_string(a) + "x" + std::to_string(p);
      list.push_back(
          {{"context", "Paragraph " + k + " says that the value is number" + k + " and nothing else at all."},
           {"qas",
            {{{"id", "s" + k},
              {"question", "What is value " + k + "?"},
              {"is_impossible", false},
              {"answers",
               {{{"text", "number" + k}, {"answer_start", 0}},
                {{"text", "number" + k}, {"answer_start", 0}}}}},
             {{"id", "i" + k}, {"question", "Why?"}, {"is_impossible", true}, {"answers", Json::array()}}}}});
    }
    data.push_back({{"title", "Article_" + std::to_string(a)}, {"paragraphs", list}});
  }
  return {{"version", "v2.0"}, {"data", data}};
}

}  // namespace data_fixture
