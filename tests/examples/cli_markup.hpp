// Whether markup is well-formed as XML is: every tag closed in order, attributes quoted, and no coordinate
// that is not a number.
#pragma once

#include <cctype>
#include <string>
#include <string_view>
#include <vector>

// The first problem, or an empty string.
inline std::string markup_problem(std::string_view text) {
  std::vector<std::string> open;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '>') return "a bare '>' before: " + std::string(text.substr(at, 40));
    if (text[at] == '&') {
      const std::size_t end = text.find(';', at);
      if (end == text.npos || end - at > 8) return "a bare '&': " + std::string(text.substr(at, 40));
    }
    if (text[at] != '<') {
      ++at;
      continue;
    }
    if (text.substr(at, 2) == "<!") {  // the document type
      at = text.find('>', at) + 1;
      continue;
    }
    std::size_t end = at + 1;
    bool quoted = false;
    for (; end < text.size() && (quoted || text[end] != '>'); ++end) {
      if (text[end] == '"') quoted = !quoted;
      if (text[end] == '<') return "'<' inside a tag: " + std::string(text.substr(at, 40));
    }
    if (end >= text.size()) return "a tag is not closed: " + std::string(text.substr(at, 40));
    const std::string_view tag = text.substr(at + 1, end - at - 1);
    std::size_t name_end = tag[0] == '/' ? 1 : 0;
    while (name_end < tag.size() && std::isalnum(static_cast<unsigned char>(tag[name_end]))) ++name_end;
    for (const std::string_view bad : {"nan", "inf", "-nan"}) {
      for (const std::string_view before : {"=\"", " ", "M", "L"}) {
        const std::string wrong = std::string(before) + std::string(bad);
        const std::size_t found = tag.find(wrong);
        if (found != tag.npos && !std::isalpha(static_cast<unsigned char>(
                                     found + wrong.size() < tag.size() ? tag[found + wrong.size()] : ' ')))
          return "a coordinate is not a number: " + std::string(tag);
      }
    }
    if (tag[0] == '/') {
      const std::string name(tag.substr(1, name_end - 1));
      if (open.empty() || open.back() != name)
        return "</" + name + "> closes " + (open.empty() ? "nothing" : "<" + open.back() + ">");
      open.pop_back();
    } else if (tag.back() != '/') {
      open.emplace_back(tag.substr(0, name_end));
      if (open.back() == "style") {  // not markup inside
        at = text.find("</style>", end);
        if (at == text.npos) return "<style> is not closed";
        continue;
      }
    }
    at = end + 1;
  }
  return open.empty() ? "" : "<" + open.back() + "> is not closed";
}
