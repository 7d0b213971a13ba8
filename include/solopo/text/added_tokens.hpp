// Added tokens are looked for in the raw text, before it is cut into pieces: the leftmost, of several that
// begin at one place the longest. A special one is found only where the caller allows it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "solopo/text/unicode.hpp"

namespace solopo::text {

struct AddedToken {
  std::int32_t id = 0;
  std::string content{};
  bool single_word = false;  // not inside a word
  bool lstrip = false;       // swallows the white space before it
  bool rstrip = false;       // and after it
  bool normalized = false;   // looked for after the text was normalised
  bool special = false;      // a marker: bos, end of turn, ...
};

// A part of a text: an added token, or plain text to be encoded (id < 0).
struct TextSegment {
  std::int32_t id = -1;
  std::string_view text;
};

class AddedTokenMatcher {
 public:
  AddedTokenMatcher() = default;
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
    for (std::size_t t = 0; t < tokens_.size(); ++t) {
      const std::string& content = tokens_[t].content;
      if (content.empty()) continue;
      begins_[static_cast<unsigned char>(content[0])] = true;
      std::uint32_t node = 0;
      for (const char c : content) {
        node = children_.try_emplace(edge(node, c), static_cast<std::uint32_t>(ends_.size())).first->second;
        if (node == ends_.size()) ends_.push_back(none);
      }
      ends_[node] = t;
    }
  }

  [[nodiscard]] bool empty() const noexcept { return children_.empty(); }

  // Appends the parts of `text`, valid UTF-8, in order.
  void split(std::string_view text, bool parse_special, std::vector<TextSegment>& out) const {
    std::size_t done = 0;  // text before it is in `out`
    for (std::size_t at = 0; !empty() && at < text.size();) {
      const std::size_t found = longest_at(text, at);
      if (found == none) {
        ++at;
        continue;
      }
      const AddedToken& token = tokens_[found];
      std::size_t start = at, stop = at + token.content.size();
      at = stop;
      if (token.special && !parse_special) continue;
      if (token.single_word &&
          (inside_word(character_before(text, start)) || inside_word(character_at(text, stop)))) {
        continue;
      }
      if (token.lstrip) {
        for (Character c = character_before(text, start); start > done && c.is(white_space);
             c = character_before(text, start)) {
          start -= c.bytes;
        }
      }
      if (token.rstrip) {
        for (Character c = character_at(text, stop); c.is(white_space); c = character_at(text, stop))
          stop += c.bytes;
      }
      if (done < start) out.push_back({-1, text.substr(done, start - done)});
      out.push_back({token.id, text.substr(start, stop - start)});
      done = stop;
    }
    if (done < text.size()) out.push_back({-1, text.substr(done)});
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  [[nodiscard]] static std::uint64_t edge(std::uint32_t node, char c) noexcept {
    return static_cast<std::uint64_t>(node) << 8 | static_cast<unsigned char>(c);
  }
  [[nodiscard]] static bool inside_word(const Character& c) noexcept {
    return c.bytes > 0 && is_word_character(c.point);
  }

  [[nodiscard]] std::size_t longest_at(std::string_view text, std::size_t at) const {
    if (!begins_[static_cast<unsigned char>(text[at])]) return none;
    std::size_t found = none;
    std::uint32_t node = 0;
    for (; at < text.size(); ++at) {
      const auto child = children_.find(edge(node, text[at]));
      if (child == children_.end()) break;
      node = child->second;
      if (ends_[node] != none) found = ends_[node];
    }
    return found;
  }

  std::vector<AddedToken> tokens_;
  std::array<bool, 256> begins_{};                             // some token begins with this byte
  std::unordered_map<std::uint64_t, std::uint32_t> children_;  // a trie; node 0 is its root
  std::vector<std::size_t> ends_{none};                        // the token that ends at each node
};

}  // namespace solopo::text
