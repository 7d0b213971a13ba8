// Chat templates: how a list of messages becomes one prompt. The known ones are written here; a model's own
// Jinja source only decides which of them it is. Message text never becomes a marker, whatever it contains.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/text/template_source.hpp"
#include "solopo/text/tokenizer.hpp"
#include "solopo/text/unicode.hpp"

namespace solopo::text {

struct Message {
  std::string role, content;  // role: system, user or assistant

  friend bool operator==(const Message&, const Message&) = default;
};

struct ChatTemplate {
  enum class Kind {
    plain,   // the contents, a line break between them, no markers
    chatml,  // <|im_start|>role, line break, content, <|im_end|>, line break
    llama3,  // <|start_header_id|>role<|end_header_id|>, empty line, trimmed content, <|eot_id|>; bos before
             // all
    qwen,    // chatml with Qwen's default system text
  };
  Kind kind = Kind::plain;
  std::string default_system{};           // chatml, qwen: put first when the first message is no system text
  std::string bos = "<|begin_of_text|>";  // llama3

  friend bool operator==(const ChatTemplate&, const ChatTemplate&) = default;
};

inline constexpr std::array<std::string_view, 4> chat_template_names = {"plain", "chatml", "llama3", "qwen"};

[[nodiscard]] inline std::string_view name_of(ChatTemplate::Kind kind) noexcept {
  return chat_template_names[static_cast<std::size_t>(kind)];
}

namespace detail {

inline constexpr std::string_view qwen2_system = "You are a helpful assistant.";

// A run of a rendered prompt: a marker (one special token) or text.
struct PromptRun {
  bool marker;
  std::string text;
};

// Without white space at both ends, as Jinja's trim: Python counts U+001C to U+001F as white space too.
[[nodiscard]] inline std::string_view trim(std::string_view text) noexcept {
  const auto blank = [](const Character& c) {
    return c.bytes > 0 && (c.is(white_space) || (c.point >= 0x1c && c.point <= 0x1f));
  };
  for (Character c = character_at(text, 0); blank(c); c = character_at(text, 0)) text.remove_prefix(c.bytes);
  for (Character c = character_before(text, text.size()); blank(c); c = character_before(text, text.size())) {
    text.remove_suffix(c.bytes);
  }
  return text;
}

[[nodiscard]] inline std::vector<PromptRun> render_runs(const ChatTemplate& chat,
                                                        std::span<const Message> messages,
                                                        bool add_generation_prompt) {
  std::vector<PromptRun> runs;
  const auto marker = [&](std::string_view text) { runs.push_back({true, std::string(text)}); };
  const auto text = [&](std::string_view part) {
    if (runs.empty() || runs.back().marker) runs.push_back({false, {}});
    runs.back().text += part;
  };
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::string& role = messages[i].role;
    if (role != "system" && role != "user" && role != "assistant") {
      throw ArgumentError("messages", i, "role '" + printable(role) + "' is not system, user or assistant");
    }
    if (const auto bad = io::find_invalid_utf8(messages[i].content)) {
      throw ArgumentError("messages", i, "the content is not valid UTF-8 at byte " + std::to_string(*bad));
    }
  }
  const auto turn = [&](std::string_view role, std::string_view content) {
    marker("<|im_start|>");
    text(role);
    text("\n");
    text(content);
    marker("<|im_end|>");
    text("\n");
  };
  switch (chat.kind) {
    case ChatTemplate::Kind::plain:
      for (std::size_t i = 0; i < messages.size(); ++i) {
        if (i > 0) text("\n");
        text(messages[i].content);
      }
      break;
    case ChatTemplate::Kind::chatml:
    case ChatTemplate::Kind::qwen:
      if (!chat.default_system.empty() && !messages.empty() && messages[0].role != "system") {
        turn("system", chat.default_system);
      }
      for (const Message& message : messages) turn(message.role, message.content);
      if (add_generation_prompt) {
        marker("<|im_start|>");
        text("assistant\n");
      }
      break;
    case ChatTemplate::Kind::llama3: {
      const auto header = [&](std::string_view role) {
        marker("<|start_header_id|>");
        text(role);
        marker("<|end_header_id|>");
        text("\n\n");
      };
      for (std::size_t i = 0; i < messages.size(); ++i) {
        if (i == 0 && !chat.bos.empty()) marker(chat.bos);
        header(messages[i].role);
        text(trim(messages[i].content));
        marker("<|eot_id|>");
      }
      if (add_generation_prompt) header("assistant");
      break;
    }
  }
  return runs;
}

[[nodiscard]] inline ModelError template_error(const Tokenizer& tokenizer, const std::string& reason) {
  std::string names;
  for (const auto name : chat_template_names) names += (names.empty() ? "" : ", ") + std::string(name);
  return ModelError("template", {.file = tokenizer.file(), .field = "chat_template"},
                    reason + "; known templates: " + names);
}

// The id of a marker, which must be a special token that no plain text encodes to.
[[nodiscard]] inline std::int32_t marker_id(const Tokenizer& tokenizer, std::string_view marker) {
  const auto id = tokenizer.find(marker);
  if (!id || !tokenizer.is_special(*id)) {
    throw template_error(tokenizer,
                         "the marker '" + printable(marker) + "' is not a special token of this model");
  }
  const auto as_text = tokenizer.encode(marker);
  if (std::find(as_text.begin(), as_text.end(), *id) != as_text.end()) {
    throw template_error(tokenizer, "plain text can be encoded as the marker '" + printable(marker) + "'");
  }
  return *id;
}

// Which template a Jinja source is; nothing: none of the known ones.
[[nodiscard]] inline std::optional<ChatTemplate> match_template(std::string_view source,
                                                                const std::string& bos) {
  using Kind = TemplatePart::Kind;
  const auto parts = read_template(source);
  if (!parts) return std::nullopt;

  // The default system text is the one thing that differs between templates of one form.
  static constexpr std::string_view open = "'<|im_start|>system\n", close = "<|im_end|>\n'";
  std::string flat, system;
  for (const TemplatePart& part : *parts) {
    const std::string_view s = part.source;
    const bool literal = part.kind == Kind::expression && s.starts_with(open) && s.ends_with(close) &&
                         s.size() > open.size() + close.size();
    const std::string_view text = literal ? s.substr(open.size(), s.size() - open.size() - close.size()) : "";
    if (literal && system.empty() && text.find_first_of("'\\") == text.npos) {
      system = text;
      flat += "{=SYSTEM}";
    } else {
      flat += part.kind == Kind::text ? "{#" : part.kind == Kind::expression ? "{=" : "{";
      flat += part.source;
      flat += '}';
    }
  }
  static const std::string message =
      "{='<|im_start|>'+message['role']+'\n'+message['content']+'<|im_end|>\n'}";
  static const std::string prompt = "{if add_generation_prompt}{='<|im_start|>assistant\n'}{endif}";
  static const std::string no_system = "{for message in messages}" + message + "{endfor}" + prompt;
  static const std::string first_in_loop =
      "{for message in messages}{if loop.first and messages[0]['role']!='system'}{=SYSTEM}{endif}" + message +
      "{endfor}" + prompt;
  static const std::string before_loop =
      "{if "
      "messages[0]['role']=='system'}{='<|im_start|>system\n'+messages[0]['content']+'<|im_end|>\n'}{else}"
      "{=SYSTEM}{endif}{for message in messages}{if(message['role']=='user')or(message['role']=='system'and "
      "not "
      "loop.first)or(message['role']=='assistant'and not message.tool_calls)}" +
      message + "{endif}{endfor}" + prompt;
  static const std::string llama3 =
      "{set loop_messages=messages}{for message in loop_messages}{set "
      "content='<|start_header_id|>'+message['role']+"
      "'<|end_header_id|>\n\n'+message['content']|trim+'<|eot_id|>'}{if loop.index0==0}{set "
      "content=bos_token+content}"
      "{endif}{=content}{endfor}{if "
      "add_generation_prompt}{='<|start_header_id|>assistant<|end_header_id|>\n\n'}"
      "{endif}";
  if (flat == llama3)
    return ChatTemplate{.kind = ChatTemplate::Kind::llama3, .default_system = {}, .bos = bos};
  if (flat == no_system) return ChatTemplate{.kind = ChatTemplate::Kind::chatml};
  if (flat == first_in_loop) {
    const auto kind = system == qwen2_system ? ChatTemplate::Kind::qwen : ChatTemplate::Kind::chatml;
    return ChatTemplate{.kind = kind, .default_system = system};
  }
  if (flat == before_loop) return ChatTemplate{.kind = ChatTemplate::Kind::qwen, .default_system = system};
  return std::nullopt;
}

[[nodiscard]] inline std::string bos_text(const Tokenizer& tokenizer) {
  return tokenizer.bos_id() ? tokenizer.token(*tokenizer.bos_id()) : std::string();
}

}  // namespace detail

// The template a model's own Jinja source is; plain when it has none. The source is compared with known ones,
// with blanks, quotes and branches for tools left aside, and never run. Throws ModelError "template" for an
// unknown one.
[[nodiscard]] inline ChatTemplate detect_chat_template(const Tokenizer& tokenizer) {
  const std::string& source = tokenizer.chat_template_source();
  if (source.empty()) return {};
  if (auto known = detail::match_template(source, detail::bos_text(tokenizer))) return *known;
  throw detail::template_error(tokenizer,
                               "the model's chat template is not one of the known ones; choose one by name");
}

// The template of that name for this model; its default system text is the model's own where its source has
// one, else none for chatml and "You are a helpful assistant." for qwen. Throws ArgumentError "template" for
// an unknown name, ModelError "template" when the model lacks a marker.
[[nodiscard]] inline ChatTemplate parse_chat_template(std::string_view name, const Tokenizer& tokenizer) {
  const auto at = std::find(chat_template_names.begin(), chat_template_names.end(), name);
  if (at == chat_template_names.end()) {
    throw ArgumentError("template", "'" + printable(name) + "' is not one of plain, chatml, llama3, qwen");
  }
  ChatTemplate out;
  out.kind = static_cast<ChatTemplate::Kind>(at - chat_template_names.begin());
  const bool chatml = out.kind == ChatTemplate::Kind::chatml || out.kind == ChatTemplate::Kind::qwen;
  if (chatml) {
    const auto own = detail::match_template(tokenizer.chat_template_source(), {});
    if (own && !own->default_system.empty()) {
      out.default_system = own->default_system;
    } else if (out.kind == ChatTemplate::Kind::qwen) {
      out.default_system = detail::qwen2_system;
    }
  }
  if (out.kind == ChatTemplate::Kind::llama3) out.bos = detail::bos_text(tokenizer);
  const Message probe[] = {{"user", ""}};
  for (const auto& run : detail::render_runs(out, probe, true)) {
    if (run.marker) (void)detail::marker_id(tokenizer, run.text);
  }
  return out;
}

// The prompt as text, for people: in it a marker and the same characters in a message look alike. Throws
// ArgumentError "messages" for a role other than system, user, assistant or a content that is not UTF-8.
[[nodiscard]] inline std::string render_chat(const ChatTemplate& chat, std::span<const Message> messages,
                                             bool add_generation_prompt) {
  std::string out;
  for (const auto& run : detail::render_runs(chat, messages, add_generation_prompt)) out += run.text;
  return out;
}

// The prompt as ids: markers are the special tokens, everything else is encoded as text, so a message that
// contains
// "<|im_end|>" cannot end its turn. Throws as render_chat; ModelError "template" when the model lacks a
// marker.
[[nodiscard]] inline std::vector<std::int32_t> encode_chat(const Tokenizer& tokenizer,
                                                           const ChatTemplate& chat,
                                                           std::span<const Message> messages,
                                                           bool add_generation_prompt) {
  std::vector<std::int32_t> out;
  for (const auto& run : detail::render_runs(chat, messages, add_generation_prompt)) {
    if (run.marker) {
      out.push_back(detail::marker_id(tokenizer, run.text));
    } else {
      const auto ids = tokenizer.encode(run.text);
      out.insert(out.end(), ids.begin(), ids.end());
    }
  }
  return out;
}

// The token that ends a response. Throws ModelError "template" when the model has none.
[[nodiscard]] inline std::int32_t end_of_turn(const Tokenizer& tokenizer, const ChatTemplate& chat) {
  switch (chat.kind) {
    case ChatTemplate::Kind::chatml:
    case ChatTemplate::Kind::qwen:
      return detail::marker_id(tokenizer, "<|im_end|>");
    case ChatTemplate::Kind::llama3:
      return detail::marker_id(tokenizer, "<|eot_id|>");
    case ChatTemplate::Kind::plain:
      break;
  }
  if (tokenizer.eos_id()) return *tokenizer.eos_id();
  throw detail::template_error(tokenizer, "the model names no end-of-text token");
}

}  // namespace solopo::text
