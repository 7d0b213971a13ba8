#include "prompt_format.hpp"

#include <utility>

#include "usage_error.hpp"

namespace solopo::cli {
namespace {

struct Part {
  std::string_view name;
  std::string PromptFormat::*member;
};
constexpr Part parts[] = {{"instruction", &PromptFormat::instruction},
                          {"passage", &PromptFormat::passage},
                          {"separator", &PromptFormat::separator},
                          {"question", &PromptFormat::question},
                          {"block", &PromptFormat::block},
                          {"answer", &PromptFormat::answer}};

// Replaces each {name} in one pass, so that a value that looks like a placeholder stays text.
std::string fill(std::string_view pattern,
                 std::initializer_list<std::pair<std::string_view, std::string_view>> values) {
  std::string out;
  for (std::size_t at = 0; at < pattern.size();) {
    bool replaced = false;
    for (const auto& [name, value] : values) {
      if (pattern.substr(at, name.size()) == name) {
        out += value;
        at += name.size();
        replaced = true;
        break;
      }
    }
    if (!replaced) out += pattern[at++];
  }
  return out;
}

}  // namespace

void check_prompt_format(const PromptFormat& format) {
  const auto require = [](std::string_view where, const std::string& pattern, std::string_view name) {
    if (pattern.find(name) == std::string::npos) {
      throw UsageError("prompt format: '" + std::string(where) + "' must contain " + std::string(name) +
                       ", but is \"" + printable(pattern) + "\"");
    }
  };
  require("passage", format.passage, "{text}");
  require("question", format.question, "{question}");
  require("answer", format.answer, "{answer}");
}

std::string render_passage(const PromptFormat& format, const Paragraph& paragraph) {
  std::string_view pattern = format.passage;
  if (paragraph.title.empty() && pattern.find("{title}") < pattern.find("{text}"))
    pattern.remove_prefix(pattern.find("{text}"));
  return fill(pattern, {{"{title}", paragraph.title}, {"{text}", paragraph.text}});
}

std::string render_turn(const PromptFormat& format, std::span<const std::string> passages,
                        std::string_view question) {
  std::string out = format.instruction;
  if (!out.empty()) out += format.block;
  for (std::size_t i = 0; i < passages.size(); ++i) {
    if (i > 0) out += format.separator;
    out += passages[i];
  }
  if (!passages.empty()) out += format.block;
  return out + fill(format.question, {{"{question}", question}});
}

std::string render_answer(const PromptFormat& format, std::string_view answer) {
  return fill(format.answer, {{"{answer}", answer}});
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] == '\\' && (next == 'n' || next == 't' || next == '\\')) {
      out += next == 'n' ? '\n' : next == 't' ? '\t' : '\\';
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

io::Json to_json(const PromptFormat& format) {
  io::Json out = io::Json::object();
  for (const Part& part : parts) out[std::string(part.name)] = format.*part.member;
  return out;
}

PromptFormat prompt_format_from_json(const io::Json& json) {
  if (!json.is_object()) throw UsageError("prompt format: expected an object");
  PromptFormat format;
  for (const auto& [key, value] : json.items()) {
    const Part* found = nullptr;
    for (const Part& part : parts) {
      if (part.name == key) found = &part;
    }
    if (found == nullptr) {
      throw UsageError("prompt format: unknown member '" + printable(key) +
                       "'; there are instruction, passage, separator, question, block, answer");
    }
    if (!value.is_string()) throw UsageError("prompt format: '" + key + "' must be text");
    format.*found->member = value.get<std::string>();
  }
  check_prompt_format(format);
  return format;
}

io::Json to_json(std::span<const text::Message> messages) {
  io::Json out = io::Json::array();
  for (const text::Message& message : messages)
    out.push_back({{"role", message.role}, {"content", message.content}});
  return out;
}

}  // namespace solopo::cli
