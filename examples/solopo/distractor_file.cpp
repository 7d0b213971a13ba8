#include <algorithm>

#include "context_builder.hpp"
#include "record_slices.hpp"
#include "solopo/io/jsonl.hpp"
#include "text_file.hpp"

namespace solopo::cli {
namespace {

constexpr std::size_t fewest_words = 40, most_words = 200;

// White space in runs becomes one blank, so that line breaks of a printed page do not matter.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n", at), text.size());
    at = std::min(text.find_first_of(" \t\r\n", begin), text.size());
    if (at > begin) out.push_back(text.substr(begin, at - begin));
  }
  return out;
}

// Blocks between blank lines, short ones joined, long ones cut.
std::vector<Paragraph> cut_prose(std::string_view text) {
  std::vector<Paragraph> out;
  std::vector<std::string_view> words;
  const auto emit = [&](std::size_t count) {
    std::string paragraph;
    for (std::size_t i = 0; i < count; ++i) (paragraph += i > 0 ? " " : "") += words[i];
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
    out.push_back({.title = "", .text = std::move(paragraph), .supporting = false});
  };
  const auto end_block = [&] {
    while (words.size() > most_words) emit(most_words);
    if (words.size() >= fewest_words) emit(words.size());
  };
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::vector<std::string_view> line = words_of(text.substr(0, end));
    if (line.empty()) end_block();
    words.insert(words.end(), line.begin(), line.end());
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  end_block();
  if (!words.empty()) emit(words.size());
  return out;
}

}  // namespace

std::vector<Paragraph> read_distractors(const std::filesystem::path& path, std::string* digest) {
  const std::string bytes = read_text_file(path);
  require_text(bytes, path.string());
  if (digest != nullptr) *digest = io::sha256_hex(bytes);
  if (slice_lines(bytes).front().text.front() != '{') return cut_prose(io::replace_invalid_utf8(bytes).text);

  std::vector<Paragraph> out;
  io::JsonlReader reader(path);
  while (const auto record = reader.next()) {
    const auto text_of = [&](const char* name) {
      const auto found = record->value.find(name);
      if (found == record->value.end() || !found->is_string())
        reader.reject(record->line, "field", name, "expected text");
      return found->get<std::string>();
    };
    Paragraph paragraph{.title = record->value.contains("title") ? text_of("title") : "",
                        .text = text_of("text"),
                        .supporting = false};
    if (!trim_json_blanks(paragraph.text).empty()) out.push_back(std::move(paragraph));
  }
  return out;
}

}  // namespace solopo::cli
