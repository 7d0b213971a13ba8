// Chat templates: how a list of messages becomes one prompt. The known ones are written here; a model's own
// Jinja source only decides which of them it is, if any. Message text never becomes a marker, whatever it
// contains.
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
    plain,    // the contents, a line break between them, no markers
    chatml,   // <|im_start|>role, line break, content, <|im_end|>, line break
    llama3,   // <|start_header_id|>role<|end_header_id|>, empty line, trimmed content, <|eot_id|>; bos before
              // all
    qwen,     // chatml with Qwen's default system text
    unknown,  // the model's own, which is none of these: it can be kept, but no prompt be written with it
  };
  Kind kind = Kind::plain;
  std::string default_system{};           // chatml, qwen: put first when the first message is no system text
  std::string bos = "<|begin_of_text|>";  // llama3

  friend bool operator==(const ChatTemplate&, const ChatTemplate&) = default;
};

// Of the kinds that can be chosen.
inline constexpr std::array<std::string_view, 4> chat_template_names = {"plain", "chatml", "llama3", "qwen"};

[[nodiscard]] inline std::string_view name_of(ChatTemplate::Kind kind) noexcept {
  return kind == ChatTemplate::Kind::unknown ? "unknown"
                                             : chat_template_names[static_cast<std::size_t>(kind)];
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
    case ChatTemplate::Kind::unknown:
      throw ArgumentError("chat", "no prompt can be written with an unknown template");
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

// The known templates as models carry them; SYSTEM stands for the default system text.
struct TemplateSources {
  std::string turn =
      "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}";
  std::string answer = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

  std::string plain =
      "{% for message in messages %}{% if not loop.first %}{{ '\\n' }}{% endif %}{{ message['content'] }}"
      "{% endfor %}";
  std::string chatml = "{% for message in messages %}" + turn + "{% endfor %}" + answer;
  std::string chatml_system =
      "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
      "{{ '<|im_start|>system\\nSYSTEM<|im_end|>\\n' }}{% endif %}" +
      turn + "{% endfor %}" + answer;
  std::string qwen =
      "{% if messages[0]['role'] == 'system' %}"
      "{{ '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}{% else %}"
      "{{ '<|im_start|>system\\nSYSTEM<|im_end|>\\n' }}{% endif %}{% for message in messages %}"
      "{% if (message['role'] == 'user') or (message['role'] == 'system' and not loop.first) or "
      "(message['role'] == 'assistant' and not message.tool_calls) %}" +
      turn + "{% endif %}{% endfor %}" + answer;
  std::string llama3 =
      "{% set loop_messages = messages %}{% for message in loop_messages %}"
      "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ "
      "message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
      "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";
};

[[nodiscard]] inline const TemplateSources& template_sources() {
  static const TemplateSources sources;
  return sources;
}

// A Jinja source in the one form of read_template; the default system text, the one thing that differs
// between templates of one form, is taken out.
struct TemplateForm {
  std::string form, system;
};

// Nothing when the source is not understood.
[[nodiscard]] inline std::optional<TemplateForm> form_of(std::string_view source) {
  const auto parts = read_template(source);
  if (!parts) return std::nullopt;
  static constexpr std::string_view open = "'<|im_start|>system\n", close = "<|im_end|>\n'";
  TemplateForm out;
  for (const TemplatePart& part : *parts) {
    const std::string_view s = part.source;
    const bool literal = part.kind == TemplatePart::Kind::expression && s.starts_with(open) &&
                         s.ends_with(close) && s.size() > open.size() + close.size();
    const std::string_view text = literal ? s.substr(open.size(), s.size() - open.size() - close.size()) : "";
    if (literal && out.system.empty() && text.find_first_of("'\\") == text.npos) {
      out.system = text;
      out.form += "{=SYSTEM}";
    } else {
      out.form += part.kind == TemplatePart::Kind::text         ? "{#"
                  : part.kind == TemplatePart::Kind::expression ? "{="
                                                                : "{";
      out.form += part.source;
      out.form += '}';
    }
  }
  return out;
}

// Which template a Jinja source is.
[[nodiscard]] inline ChatTemplate match_template(std::string_view source, const std::string& bos) {
  using Kind = ChatTemplate::Kind;
  const TemplateSources& sources = template_sources();
  const auto known = [](const std::string& ours) { return form_of(ours).value().form; };
  static const std::string plain = known(sources.plain), chatml = known(sources.chatml),
                           chatml_system = known(sources.chatml_system), qwen = known(sources.qwen),
                           llama3 = known(sources.llama3);
  const auto read = form_of(source);
  if (!read) return {.kind = Kind::unknown};
  if (read->form == plain) return {};
  if (read->form == chatml) return {.kind = Kind::chatml};
  if (read->form == chatml_system) {
    const Kind kind = read->system == qwen2_system ? Kind::qwen : Kind::chatml;
    return {.kind = kind, .default_system = read->system};
  }
  if (read->form == qwen) return {.kind = Kind::qwen, .default_system = read->system};
  if (read->form == llama3) return {.kind = Kind::llama3, .default_system = {}, .bos = bos};
  return {.kind = Kind::unknown};
}

// Text as it stands between the quotes of a literal.
[[nodiscard]] inline std::string jinja_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += c;
    }
  }
  return out;
}

[[nodiscard]] inline std::string bos_text(const Tokenizer& tokenizer) {
  return tokenizer.bos_id() ? tokenizer.token(*tokenizer.bos_id()) : std::string();
}

}  // namespace detail

// The template a model's own Jinja source is; plain when it has none, unknown when it is none of the known
// ones. The source is compared with theirs, with blanks, quotes and branches for tools left aside, and never
// run.
[[nodiscard]] inline ChatTemplate detect_chat_template(const Tokenizer& tokenizer) {
  const std::string& source = tokenizer.chat_template_source();
  if (source.empty()) return {};
  return detail::match_template(source, detail::bos_text(tokenizer));
}

// Throws ModelError "template" for an unknown one.
inline void require_known(const ChatTemplate& chat, const Tokenizer& tokenizer) {
  if (chat.kind != ChatTemplate::Kind::unknown) return;
  throw detail::template_error(tokenizer,
                               "the model's chat template is not one of the known ones; choose one by name");
}

// Jinja source of a template, for a model's files: detect_chat_template reads prompts of the same text from
// it (not where the default system text has a quote or a backslash). Throws ArgumentError "chat" for an
// unknown one.
[[nodiscard]] inline std::string jinja_source(const ChatTemplate& chat) {
  const detail::TemplateSources& sources = detail::template_sources();
  switch (chat.kind) {
    case ChatTemplate::Kind::plain:
      return sources.plain;
    case ChatTemplate::Kind::chatml:
    case ChatTemplate::Kind::qwen: {
      if (chat.default_system.empty()) return sources.chatml;
      std::string out = chat.kind == ChatTemplate::Kind::qwen ? sources.qwen : sources.chatml_system;
      return out.replace(out.find("SYSTEM"), 6, detail::jinja_text(chat.default_system));
    }
    case ChatTemplate::Kind::llama3:
      return sources.llama3;
    case ChatTemplate::Kind::unknown:
      break;
  }
  throw ArgumentError("chat", "an unknown template has no source of ours");
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
    const ChatTemplate own = detail::match_template(tokenizer.chat_template_source(), {});
    if (!own.default_system.empty()) {
      out.default_system = own.default_system;
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
// ArgumentError "messages" for a role other than system, user, assistant or a content that is not UTF-8,
// "chat" for an unknown template.
[[nodiscard]] inline std::string render_chat(const ChatTemplate& chat, std::span<const Message> messages,
                                             bool add_generation_prompt) {
  std::string out;
  for (const auto& run : detail::render_runs(chat, messages, add_generation_prompt)) out += run.text;
  return out;
}

// The prompt as ids: markers are the special tokens, everything else is encoded as text, so a message that
// contains "<|im_end|>" cannot end its turn. Throws ArgumentError "messages" as render_chat; ModelError
// "template" when the model lacks a marker or its template is unknown.
[[nodiscard]] inline std::vector<std::int32_t> encode_chat(const Tokenizer& tokenizer,
                                                           const ChatTemplate& chat,
                                                           std::span<const Message> messages,
                                                           bool add_generation_prompt) {
  require_known(chat, tokenizer);
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

// The token that ends a response; the end of text where the template has no marker for it, or is unknown.
// Throws ModelError "template" when the model has none.
[[nodiscard]] inline std::int32_t end_of_turn(const Tokenizer& tokenizer, const ChatTemplate& chat) {
  switch (chat.kind) {
    case ChatTemplate::Kind::chatml:
    case ChatTemplate::Kind::qwen:
      return detail::marker_id(tokenizer, "<|im_end|>");
    case ChatTemplate::Kind::llama3:
      return detail::marker_id(tokenizer, "<|eot_id|>");
    case ChatTemplate::Kind::plain:
    case ChatTemplate::Kind::unknown:
      break;
  }
  if (tokenizer.eos_id()) return *tokenizer.eos_id();
  throw detail::template_error(tokenizer, "the model names no end-of-text token");
}

}  // namespace solopo::text
