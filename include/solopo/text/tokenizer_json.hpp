// Reads the tokenizer of a Hugging Face folder: tokenizer.json, and from tokenizer_config.json,
// special_tokens_map.json and chat_template.jinja the marked tokens and the chat template. Every component
// that would change ids is either understood or refused by its name.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/input_file.hpp"
#include "solopo/io/json.hpp"
#include "solopo/text/tokenizer_spec.hpp"

namespace solopo::text {

inline constexpr std::uint64_t most_tokenizer_bytes = std::uint64_t{256} << 20;
inline constexpr std::uint64_t most_tokenizer_config_bytes = std::uint64_t{16} << 20;
inline constexpr std::uint64_t most_template_bytes = std::uint64_t{1} << 20;
inline constexpr const char* chat_template_file = "chat_template.jinja";

namespace detail {

using io::Json;

// Reads one JSON file; knows its name for errors.
class TokenizerJsonReader {
 public:
  explicit TokenizerJsonReader(std::string file) : file_(std::move(file)) {}

  [[noreturn]] void refuse(const char* code, std::string_view field, const std::string& reason) const {
    throw ModelError(code, {.file = file_, .field = std::string(field)}, reason);
  }
  [[nodiscard]] const Json* find(const Json& object, const char* key) const {
    const auto at = object.find(key);
    return at == object.end() || at->is_null() ? nullptr : &*at;
  }
  [[nodiscard]] bool flag(const Json& object, const char* key, const std::string& field,
                          bool absent = false) const {
    const Json* value = find(object, key);
    if (value == nullptr) return absent;
    if (!value->is_boolean()) refuse("tokenizer", field + "." + key, "must be true or false");
    return value->get<bool>();
  }
  [[nodiscard]] std::string type_of(const Json& component, const std::string& field) const {
    const Json* type = component.is_object() ? find(component, "type") : nullptr;
    if (type == nullptr || !type->is_string()) refuse("tokenizer", field, "must be an object with a type");
    return type->get<std::string>();
  }
  // Calls f(component, field) for a component, or for each one inside a Sequence.
  template <class F>
  void each(const Json* component, const std::string& field, const char* list, F&& f) const {
    if (component == nullptr) return;
    if (type_of(*component, field) != "Sequence") return f(*component, field);
    const Json* parts = find(*component, list);
    if (parts == nullptr || !parts->is_array())
      refuse("tokenizer", field, std::string("a Sequence without ") + list);
    for (std::size_t i = 0; i < parts->size(); ++i) {
      f((*parts)[i], field + "." + list + "[" + std::to_string(i) + "]");
    }
  }

 private:
  std::string file_;
};

inline void read_model(const TokenizerJsonReader& in, const Json& model, TokenizerSpec& spec) {
  if (const Json* type = in.find(model, "type"); type != nullptr && *type != "BPE") {
    in.refuse("tokenizer", "model.type", "is " + printable(type->dump()) + "; only BPE is known");
  }
  if (const Json* dropout = in.find(model, "dropout"); dropout != nullptr && *dropout != 0) {
    in.refuse("tokenizer", "model.dropout", "random merges are not supported");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (const Json* value = in.find(model, key); value != nullptr && *value != "") {
      in.refuse("tokenizer", std::string("model.") + key, "must be empty in byte-level BPE");
    }
  }
  if (in.flag(model, "byte_fallback", "model")) {
    in.refuse("tokenizer", "model.byte_fallback", "is for vocabularies that are not byte-level");
  }
  spec.ignore_merges = in.flag(model, "ignore_merges", "model");
  if (const Json* unknown = in.find(model, "unk_token"); unknown != nullptr) {
    if (!unknown->is_string()) in.refuse("tokenizer", "model.unk_token", "must be a string");
    if (in.flag(model, "fuse_unk", "model")) in.refuse("tokenizer", "model.fuse_unk", "is not supported");
    spec.unknown = unknown->get<std::string>();
  }

  const Json* vocab = in.find(model, "vocab");
  if (vocab == nullptr || !vocab->is_object()) in.refuse("vocab", "model.vocab", "must be an object");
  for (const auto& [token, id] : vocab->items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max()) {
      in.refuse("vocab", "model.vocab",
                "the id of token '" + printable(token) + "' is " + printable(id.dump()));
    }
    spec.vocab.emplace_back(token, id.get<std::int64_t>());
  }

  const Json* merges = in.find(model, "merges");
  if (merges == nullptr || !merges->is_array()) in.refuse("vocab", "model.merges", "must be an array");
  spec.merges.reserve(merges->size());
  for (const Json& merge : *merges) {
    const std::size_t index = spec.merges.size();
    if (merge.is_string()) {  // "a b"
      const std::string& text = merge.get_ref<const std::string&>();
      const std::size_t blank = text.find(' ');
      if (blank != text.npos && text.find(' ', blank + 1) == text.npos) {
        spec.merges.emplace_back(text.substr(0, blank), text.substr(blank + 1));
        continue;
      }
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      spec.merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    in.refuse("vocab", "model.merges[" + std::to_string(index) + "]",
              "must be two tokens, as \"a b\" or [\"a\", \"b\"], not " + printable(merge.dump()));
  }
}

inline AddedToken read_added_token(const TokenizerJsonReader& in, const Json& entry, std::int64_t id,
                                   const std::string& field) {
  const Json* content = entry.is_object() ? in.find(entry, "content") : nullptr;
  if (content == nullptr || !content->is_string() || content->get_ref<const std::string&>().empty()) {
    in.refuse("vocab", field, "needs a content that is not empty");
  }
  AddedToken token;
  token.id = static_cast<std::int32_t>(id);
  token.content = content->get<std::string>();
  token.single_word = in.flag(entry, "single_word", field);
  token.lstrip = in.flag(entry, "lstrip", field);
  token.rstrip = in.flag(entry, "rstrip", field);
  token.special = in.flag(entry, "special", field);
  token.normalized = in.flag(entry, "normalized", field, !token.special);
  return token;
}

inline void read_added_tokens(const TokenizerJsonReader& in, const Json* added, TokenizerSpec& spec) {
  if (added == nullptr) return;
  if (!added->is_array()) in.refuse("vocab", "added_tokens", "must be an array");
  for (std::size_t i = 0; i < added->size(); ++i) {
    const Json& entry = (*added)[i];
    const std::string field = "added_tokens[" + std::to_string(i) + "]";
    const Json* id = entry.is_object() ? in.find(entry, "id") : nullptr;
    if (id == nullptr || !id->is_number_unsigned() ||
        id->get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max()) {
      in.refuse("vocab", field, "needs an id");
    }
    spec.added.push_back(read_added_token(in, entry, id->get<std::int64_t>(), field));
  }
}

inline void read_pre_tokenizer(const TokenizerJsonReader& in, const Json* pre, TokenizerSpec& spec) {
  spec.pre_tokenizer = {.digits = PreTokenizer::Digits::together, .pattern = Pattern::whole};
  bool byte_level = false, split = false, digits = false;
  in.each(pre, "pre_tokenizer", "pretokenizers", [&](const Json& part, const std::string& field) {
    const std::string type = in.type_of(part, field);
    if (byte_level)
      in.refuse("tokenizer", field, "'" + printable(type) + "' after ByteLevel is not supported");
    if (type == "Digits" && !split && !digits) {
      digits = true;
      spec.pre_tokenizer.digits = in.flag(part, "individual_digits", field) ? PreTokenizer::Digits::single
                                                                            : PreTokenizer::Digits::runs;
    } else if (type == "Split" && !split) {
      split = true;
      const Json* pattern = in.find(part, "pattern");
      const Json* regex = pattern != nullptr && pattern->is_object() ? in.find(*pattern, "Regex") : nullptr;
      if (regex == nullptr || !regex->is_string())
        in.refuse("tokenizer", field + ".pattern", "must be a Regex");
      const auto known = find_pattern(regex->get_ref<const std::string&>());
      if (!known) {
        in.refuse("tokenizer", field + ".pattern",
                  "the pattern '" + printable(regex->get_ref<const std::string&>(), 300) +
                      "' is not known; those of GPT-2, SmolLM, Llama-3 and Qwen2 are");
      }
      // The patterns match all of a text, so keeping the matches or cutting around them is the same.
      const Json* behavior = in.find(part, "behavior");
      const bool inverted = in.flag(part, "invert", field);
      const bool isolated = behavior != nullptr && *behavior == "Isolated" && !inverted;
      const bool kept = behavior != nullptr && *behavior == "Removed" && inverted;
      if (!isolated && !kept) in.refuse("tokenizer", field + ".behavior", "only Isolated is known");
      spec.pre_tokenizer.pattern = *known;
    } else if (type == "ByteLevel") {
      byte_level = true;
      if (in.flag(part, "add_prefix_space", field, true)) {
        in.refuse("tokenizer", field + ".add_prefix_space", "true is not supported");
      }
      if (in.flag(part, "use_regex", field, true)) {
        if (split)
          in.refuse("tokenizer", field + ".use_regex", "two patterns after each other are not supported");
        spec.pre_tokenizer.pattern = Pattern::gpt2;
      }
    } else {
      in.refuse("tokenizer", field,
                "'" + printable(type) + "' is not known here; known: Digits, then Split, then ByteLevel");
    }
  });
  if (!byte_level) in.refuse("tokenizer", "pre_tokenizer", "has no ByteLevel: only byte-level BPE is known");
}

inline void read_other_components(const TokenizerJsonReader& in, const Json& document, TokenizerSpec& spec) {
  in.each(in.find(document, "normalizer"), "normalizer", "normalizers",
          [&](const Json& part, const std::string& field) {
            const std::string type = in.type_of(part, field);
            if (type != "NFC")
              in.refuse("tokenizer", field, "'" + printable(type) + "' is not known; known: NFC or none");
            spec.nfc = true;
          });
  bool decodes = false;
  in.each(in.find(document, "decoder"), "decoder", "decoders",
          [&](const Json& part, const std::string& field) {
            const std::string type = in.type_of(part, field);
            if (type != "ByteLevel")
              in.refuse("tokenizer", field, "'" + printable(type) + "' is not known; known: ByteLevel");
            decodes = true;
          });
  if (!decodes) in.refuse("tokenizer", "decoder", "must be ByteLevel");
  in.each(in.find(document, "post_processor"), "post_processor", "processors",
          [&](const Json& part, const std::string& field) {
            const std::string type = in.type_of(part, field);
            if (type == "ByteLevel") return;  // moves offsets only
            if (type != "TemplateProcessing") {
              in.refuse(
                  "tokenizer", field,
                  "'" + printable(type) + "' is not known; known: TemplateProcessing, ByteLevel or none");
            }
            const Json* single = in.find(part, "single");
            if (single == nullptr || !single->is_array())
              in.refuse("tokenizer", field + ".single", "must be an array");
            spec.adds_bos |=
                !single->empty() && single->front().is_object() && single->front().contains("SpecialToken");
          });
}

// "<s>" or {"content": "<s>", ...}; nothing when absent.
inline std::optional<std::string> read_named_token(const TokenizerJsonReader& in, const Json& object,
                                                   const char* key) {
  const Json* value = in.find(object, key);
  if (value != nullptr && value->is_object()) value = in.find(*value, "content");
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) in.refuse("tokenizer", key, "must be a string or an object with a content");
  return value->get<std::string>();
}

inline std::string read_chat_template(const TokenizerJsonReader& in, const Json& config) {
  const Json* source = in.find(config, "chat_template");
  if (source != nullptr && source->is_array()) {  // several: [{"name": "default", "template": "..."}]
    const Json* chosen = nullptr;
    for (const Json& entry : *source) {
      const Json* name = entry.is_object() ? in.find(entry, "name") : nullptr;
      if (name != nullptr && *name == "default") chosen = in.find(entry, "template");
    }
    source = chosen;
  }
  if (source == nullptr) return {};
  if (!source->is_string()) in.refuse("template", "chat_template", "must be a string");
  if (source->get_ref<const std::string&>().size() > most_template_bytes) {
    in.refuse("template", "chat_template", "is longer than a mebibyte");
  }
  return source->get<std::string>();
}

inline void read_config(const TokenizerJsonReader& in, const Json& config, TokenizerSpec& spec) {
  if (!config.is_object()) in.refuse("tokenizer", "", "must hold an object");
  for (auto [key, token] :
       {std::pair{"bos_token", &spec.bos}, {"eos_token", &spec.eos}, {"pad_token", &spec.pad}}) {
    if (!*token) *token = read_named_token(in, config, key);
  }
  // Tokens that only the configuration knows.
  const Json* decoder = in.find(config, "added_tokens_decoder");
  if (decoder != nullptr && !decoder->is_object())
    in.refuse("vocab", "added_tokens_decoder", "must be an object");
  if (decoder == nullptr) return;
  std::set<std::string_view> known;
  for (const AddedToken& token : spec.added) known.insert(token.content);
  std::vector<AddedToken> more;
  for (const auto& [key, entry] : decoder->items()) {
    const std::string field = "added_tokens_decoder." + key;
    if (key.empty() || key.size() > 9 || key.find_first_not_of("0123456789") != key.npos) {
      in.refuse("vocab", field, "is not an id");
    }
    AddedToken token = read_added_token(in, entry, std::stol(key), field);
    if (!known.contains(token.content)) more.push_back(std::move(token));
  }
  std::move(more.begin(), more.end(), std::back_inserter(spec.added));
}

}  // namespace detail

// `folder` must hold tokenizer.json; the other files may be missing. Throws ModelError: the codes of
// io::InputFile and io::parse_json; "vocab" (ids, merges, added tokens), "tokenizer" (any other component),
// "template".
[[nodiscard]] inline TokenizerSpec read_tokenizer_folder(const std::filesystem::path& folder) {
  using io::FileRole;
  const auto read = [&](const char* name, std::uint64_t limit) {
    return io::read_file(folder / name, FileRole::model, limit);
  };
  TokenizerSpec spec;
  spec.file = (folder / "tokenizer.json").string();
  spec.files.emplace_back("tokenizer.json", read("tokenizer.json", most_tokenizer_bytes));
  {
    const detail::TokenizerJsonReader in(spec.file);
    const io::Json document = io::parse_json(spec.files[0].second, spec.file, FileRole::model);
    if (!document.is_object()) in.refuse("tokenizer", "", "must hold an object");
    const io::Json* model = in.find(document, "model");
    if (model == nullptr || !model->is_object()) in.refuse("tokenizer", "model", "is missing");
    detail::read_model(in, *model, spec);
    detail::read_added_tokens(in, in.find(document, "added_tokens"), spec);
    detail::read_pre_tokenizer(in, in.find(document, "pre_tokenizer"), spec);
    detail::read_other_components(in, document, spec);
  }
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    if (!std::filesystem::exists(folder / name)) continue;
    spec.files.emplace_back(name, read(name, most_tokenizer_config_bytes));
    const std::string file = (folder / name).string();
    const detail::TokenizerJsonReader in(file);
    const io::Json config = io::parse_json(spec.files.back().second, file, FileRole::model);
    detail::read_config(in, config, spec);
    if (spec.chat_template.empty()) spec.chat_template = detail::read_chat_template(in, config);
  }
  if (std::filesystem::exists(folder / chat_template_file)) {  // counts before the configuration's
    spec.chat_template = read(chat_template_file, most_template_bytes);
    spec.files.emplace_back(chat_template_file, spec.chat_template);
  }
  return spec;
}

}  // namespace solopo::text
