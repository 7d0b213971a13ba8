// A chat template's Jinja source in one form for all ways to write it: blanks, quotes, whitespace control and
// comments are gone, `message.role` is `message['role']`, adjacent literals are one. The source is only read,
// so that it can be compared with known ones; nothing of it is ever run.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace solopo::text {

struct TemplatePart {
  enum class Kind { text, expression, statement } kind;
  std::string source;

  friend bool operator==(const TemplatePart&, const TemplatePart&) = default;
};

namespace detail {

class TemplateReader {
 public:
  static constexpr std::size_t most_parts = 2000;  // published templates have at most a few hundred

  explicit TemplateReader(std::string_view source) : source_(source) {
    if (source_.ends_with('\n')) source_.remove_suffix(1);  // as Jinja does
  }

  // Nothing when the source is not understood. Linear in its length.
  std::optional<std::vector<TemplatePart>> read() {
    std::vector<TemplatePart> parts;
    bool strip_left = false, after_block = false;
    while (at_ < source_.size()) {
      const bool at_line_start = at_ == 0 || source_[at_ - 1] == '\n';
      std::size_t tag = source_.find('{', at_);
      while (tag != source_.npos && !opens(tag)) tag = source_.find('{', tag + 1);
      std::string_view text = source_.substr(at_, tag == source_.npos ? tag : tag - at_);
      at_ = tag == source_.npos ? source_.size() : tag;
      bool line_start = at_line_start;
      if (strip_left) {
        text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
      } else if (after_block && text.starts_with('\n')) {  // Jinja's trim_blocks, which transformers sets
        text.remove_prefix(1);
        line_start = true;
      }
      const char kind = tag == source_.npos ? '\0' : source_[tag + 1];
      if (kind != '\0') {
        at_ += 2;
        if (peek() == '+') return std::nullopt;
        if (peek() == '-') {
          ++at_;
          text = text.substr(0, text.find_last_not_of(blanks) + 1);
        } else if (kind != '{') {  // lstrip_blocks
          const std::size_t line = text.rfind('\n');
          const std::size_t rest = line == text.npos ? 0 : line + 1;
          if ((line != text.npos || line_start) && text.find_first_not_of(" \t", rest) == text.npos) {
            text = text.substr(0, rest);
          }
        }
      }
      if (!text.empty()) parts.push_back({TemplatePart::Kind::text, std::string(text)});
      if (kind == '\0') break;
      if (kind == '#') {
        const std::size_t end = source_.find("#}", at_);
        if (end == source_.npos) return std::nullopt;
        strip_left = end > at_ && source_[end - 1] == '-';
        at_ = end + 2;
      } else {
        auto inside = read_tag(kind == '{' ? "}}" : "%}", strip_left);
        if (!inside) return std::nullopt;
        parts.push_back({kind == '{' ? TemplatePart::Kind::expression : TemplatePart::Kind::statement,
                         std::move(*inside)});
      }
      after_block = kind != '{';
      if (parts.size() > most_parts) return std::nullopt;
    }
    return parts;
  }

 private:
  static constexpr std::string_view blanks = " \t\r\n";
  struct Word {
    char kind;  // 'n' name or number, 's' string, 'p' punctuation
    std::string text;
  };

  [[nodiscard]] bool opens(std::size_t at) const noexcept {
    return at + 1 < source_.size() &&
           (source_[at + 1] == '{' || source_[at + 1] == '%' || source_[at + 1] == '#');
  }
  [[nodiscard]] char peek() const noexcept { return at_ < source_.size() ? source_[at_] : '\0'; }
  [[nodiscard]] static bool in_name(char c) noexcept {
    return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0;
  }

  // The words up to the closing of a tag, written without needless blanks.
  std::optional<std::string> read_tag(std::string_view closing, bool& strip) {
    std::vector<Word> words;
    for (;;) {
      while (at_ < source_.size() && blanks.find(source_[at_]) != blanks.npos) ++at_;
      if (at_ >= source_.size()) return std::nullopt;
      strip = source_[at_] == '-' && source_.substr(at_ + 1).starts_with(closing);
      if (strip || source_.substr(at_).starts_with(closing)) {
        at_ += closing.size() + (strip ? 1 : 0);
        return join(words);
      }
      const char c = source_[at_];
      if (c == '\'' || c == '"') {
        auto literal = read_string(c);
        if (!literal) return std::nullopt;
        const std::size_t n = words.size();
        // 'a' + 'b', where nothing binds tighter on the left.
        if (n >= 2 && words[n - 1].text == "+" && words[n - 1].kind == 'p' && words[n - 2].kind == 's') {
          words.pop_back();
          words.back().text += *literal;
        } else {
          words.push_back({'s', std::move(*literal)});
        }
      } else if (in_name(c)) {
        const std::size_t start = at_;
        while (at_ < source_.size() && in_name(source_[at_])) ++at_;
        std::string name(source_.substr(start, at_ - start));
        const bool member = !words.empty() && words.back().kind == 'p' && words.back().text == ".";
        if (member && (name == "role" || name == "content")) {
          words.back().text = "[";
          words.push_back({'s', std::move(name)});
          words.push_back({'p', "]"});
        } else {
          words.push_back({'n', std::move(name)});
        }
      } else {
        words.push_back({'p', std::string(1, c)});
        ++at_;
      }
    }
  }

  std::optional<std::string> read_string(char quote) {
    std::string out;
    for (++at_; at_ < source_.size(); ++at_) {
      char c = source_[at_];
      if (c == quote) {
        ++at_;
        return out;
      }
      if (c == '\\') {
        if (++at_ >= source_.size()) break;
        c = source_[at_];
        if (c == 'n') {
          c = '\n';
        } else if (c == 't') {
          c = '\t';
        } else if (c == 'r') {
          c = '\r';
        } else if (c != '\\' && c != '\'' && c != '"') {
          return std::nullopt;
        }
      }
      out += c;
    }
    return std::nullopt;
  }

  static std::string join(const std::vector<Word>& words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (i > 0 && words[i].kind == 'n' && words[i - 1].kind == 'n') out += ' ';
      if (words[i].kind == 's') {
        out += '\'';
        for (const char c : words[i].text) {
          if (c == '\'' || c == '\\') out += '\\';
          out += c;
        }
        out += '\'';
      } else {
        out += words[i].text;
      }
    }
    return out;
  }

  std::string_view source_;
  std::size_t at_ = 0;
};

// Position just past the part that ends the branch begun before `at`: its `elif`, `else` or `endif`,
// parts.size() if none does.
[[nodiscard]] inline std::size_t branch_end(const std::vector<TemplatePart>& parts, std::size_t at) {
  std::size_t depth = 0;
  for (; at < parts.size(); ++at) {
    if (parts[at].kind != TemplatePart::Kind::statement) continue;
    const std::string_view s = parts[at].source;
    if (s.starts_with("if ") || s.starts_with("if(") || s.starts_with("if'")) ++depth;
    const bool ends = s == "endif";
    if (depth == 0 && (ends || s == "else" || s.starts_with("elif"))) break;
    if (ends) --depth;
  }
  return at;
}

}  // namespace detail

// The parts of a template as they act on messages of the roles system, user and assistant without tools:
// branches only tools reach are left out. Nothing when the source is not understood.
[[nodiscard]] inline std::optional<std::vector<TemplatePart>> read_template(std::string_view source) {
  auto read = detail::TemplateReader(source).read();
  if (!read) return std::nullopt;
  std::vector<TemplatePart>& parts = *read;
  const auto statement = [&](std::size_t i, std::string_view text) {
    return i < parts.size() && parts[i].kind == TemplatePart::Kind::statement && parts[i].source == text;
  };
  const auto erase = [&](std::size_t from, std::size_t to) {
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(from),
                parts.begin() + static_cast<std::ptrdiff_t>(to));
  };
  if (statement(0, "if not add_generation_prompt is defined") &&
      statement(1, "set add_generation_prompt=false") && statement(2, "endif")) {
    erase(0, 3);  // the default it has anyway
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (statement(i, "if tools")) {
      const std::size_t other = detail::branch_end(parts, i + 1);
      if (!statement(other, "else")) return std::nullopt;
      const std::size_t end = detail::branch_end(parts, other + 1);
      if (!statement(end, "endif")) return std::nullopt;
      erase(end, end + 1);
      erase(i, other + 1);
      --i;
    } else if (statement(i, "elif message['role']=='assistant'") ||
               statement(i, "elif(message['role']=='tool')") ||
               statement(i, "elif message['role']=='tool'")) {
      // Reached by calls of tools and by their results only: the branch before takes every other message
      // (a template in which it does not is none of the known ones).
      const std::size_t end = detail::branch_end(parts, i + 1);
      if (end == parts.size()) return std::nullopt;
      erase(i, end);
      --i;
    }
  }
  return read;
}

}  // namespace solopo::text
