// Text to token ids and back: byte-level byte-pair encoding, with ids equal to those of Hugging Face
// tokenizers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/atomic_file.hpp"
#include "solopo/io/gguf.hpp"
#include "solopo/io/remove_file.hpp"
#include "solopo/io/utf8.hpp"
#include "solopo/text/added_tokens.hpp"
#include "solopo/text/nfc.hpp"
#include "solopo/text/splitters.hpp"
#include "solopo/text/stream_decoder.hpp"
#include "solopo/text/tokenizer_gguf.hpp"
#include "solopo/text/tokenizer_gguf_file.hpp"
#include "solopo/text/tokenizer_json.hpp"
#include "solopo/text/tokenizer_spec.hpp"
#include "solopo/text/tokenizer_tables.hpp"
#include "solopo/text/tokenizer_writer.hpp"

namespace solopo::text {

// Immutable and cheap to copy; every function may be called from several threads at once.
class Tokenizer {
 public:
  // Checks that the parts agree. Throws ModelError "vocab" naming the part and the index: ids that are not
  // 0 .. n - 1 each once, equal tokens, merges of unknown tokens, an added token that is another one in the
  // vocabulary, a missing bos, eos or unknown token.
  explicit Tokenizer(TokenizerSpec spec) : state_(std::make_shared<const TokenizerTables>(std::move(spec))) {}

  // Reads tokenizer.json and what lies beside it. Throws as read_tokenizer_folder and the constructor.
  [[nodiscard]] static Tokenizer from_folder(const std::filesystem::path& folder) {
    return Tokenizer(read_tokenizer_folder(folder));
  }
  // From a GGUF file's metadata. Throws as read_gguf_vocabulary, read_tokenizer_gguf and the constructor.
  [[nodiscard]] static Tokenizer from_gguf(const io::GgufFile& file) {
    return Tokenizer(read_tokenizer_gguf(read_gguf_vocabulary(file)));
  }

  // Token ids of valid UTF-8; nothing is added before or behind. Special tokens in the text are found only
  // with `parse_special`; without it they are encoded like any other text, so that text from outside cannot
  // forge them. Bytes the vocabulary has no token for become its unknown token, or vanish if it has none
  // (missing_bytes()). Throws ArgumentError "text" with the offset of the first byte that is not UTF-8.
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view utf8, bool parse_special = false) const {
    if (const auto bad = io::find_invalid_utf8(utf8)) {
      throw ArgumentError("text", *bad, "not valid UTF-8; io::replace_invalid_utf8 repairs it");
    }
    std::vector<std::int32_t> out;
    out.reserve(utf8.size() / 3 + 1);
    std::vector<TextSegment> raw, inner;
    state_->raw_added.split(utf8, parse_special, raw);
    for (const TextSegment& segment : raw) {
      if (segment.id >= 0) {
        out.push_back(segment.id);
        continue;
      }
      const std::string normal = state_->spec.nfc ? to_nfc(segment.text) : std::string();
      inner.clear();
      state_->normalized_added.split(state_->spec.nfc ? std::string_view(normal) : segment.text,
                                     parse_special, inner);
      for (const TextSegment& part : inner) {
        if (part.id >= 0) {
          out.push_back(part.id);
        } else {
          for_each_piece(state_->spec.pre_tokenizer, part.text,
                         [&](std::string_view piece) { state_->encode_piece(piece, out); });
        }
      }
    }
    return out;
  }

  // Text of token ids. Bytes that are no UTF-8 become U+FFFD. Throws ArgumentError "ids" naming the index of
  // an id that is not in the vocabulary.
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids, bool skip_special = false) const {
    std::string bytes;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      check_id(ids[i], "ids", i);
      if (!(skip_special && is_special(ids[i]))) bytes += state_->bytes[static_cast<std::size_t>(ids[i])];
    }
    if (!io::find_invalid_utf8(bytes)) return bytes;
    return io::replace_invalid_utf8(bytes).text;
  }

  // The bytes a token stands for; they need not be UTF-8.
  [[nodiscard]] const std::string& token_bytes(std::int32_t id) const {
    check_id(id, "id", 0);
    return state_->bytes[static_cast<std::size_t>(id)];
  }

  [[nodiscard]] std::int32_t vocab_size() const noexcept {
    return static_cast<std::int32_t>(state_->tokens.size());
  }

  // The token with this text, as the vocabulary writes it (a blank is "Ġ"; added tokens are plain).
  [[nodiscard]] std::optional<std::int32_t> find(std::string_view token) const {
    return state_->by_text.find(state_->tokens, token);
  }
  [[nodiscard]] const std::string& token(std::int32_t id) const {
    check_id(id, "id", 0);
    return state_->tokens[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] bool is_special(std::int32_t id) const {
    return id >= 0 && id < vocab_size() && state_->special[static_cast<std::size_t>(id)];
  }

  [[nodiscard]] std::optional<std::int32_t> bos_id() const noexcept { return state_->bos; }
  [[nodiscard]] std::optional<std::int32_t> eos_id() const noexcept { return state_->eos; }
  // Whether the model expects bos before a text that has no chat template.
  [[nodiscard]] bool adds_bos() const noexcept { return state_->spec.adds_bos; }
  // Jinja text, empty: none. It is never run.
  [[nodiscard]] const std::string& chat_template_source() const noexcept {
    return state_->spec.chat_template;
  }
  // Where it was read.
  [[nodiscard]] const std::string& file() const noexcept { return state_->spec.file; }

  // Bytes that no token stands for (SmolLM2 has none for some control characters); encode() drops them.
  [[nodiscard]] std::vector<unsigned char> missing_bytes() const {
    std::vector<unsigned char> out;
    for (unsigned b = 0; b < 256; ++b) {
      if (state_->encoder.byte_token(static_cast<unsigned char>(b)) < 0)
        out.push_back(static_cast<unsigned char>(b));
    }
    return out;
  }

  // Refuses a vocabulary that is larger than the embedding of a model. Fewer tokens than rows is usual.
  // Throws ModelError "vocab".
  void require_rows(std::int64_t rows) const {
    if (vocab_size() <= rows) return;
    throw ModelError("vocab", {.file = file(), .field = state_->spec.vocab_field},
                     "has " + std::to_string(vocab_size()) + " tokens, but the model's vocab_size is " +
                         std::to_string(rows));
  }

  // Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json (and chat_template.jinja where
  // it was read) into an existing folder: as they were read, or rebuilt. `chat_template` is Jinja source that
  // takes the place of the model's own, in tokenizer_config.json, where every transformers looks. Throws
  // IoError.
  void save(const std::filesystem::path& folder,
            const std::optional<std::string>& chat_template = std::nullopt) const {
    std::map<std::string, std::string> files(state_->spec.files.begin(), state_->spec.files.end());
    const auto rebuild = [&](const char* name, auto&& write) {
      if (!files.contains(name)) files[name] = write();
    };
    rebuild("tokenizer.json", [&] {
      return write_tokenizer_json(state_->spec, state_->tokens, state_->in_vocab, state_->merges);
    });
    rebuild("tokenizer_config.json", [&] { return write_tokenizer_config(state_->spec); });
    rebuild("special_tokens_map.json", [&] { return write_special_tokens_map(state_->spec); });
    if (chat_template) {
      std::string& config = files["tokenizer_config.json"];
      config = with_chat_template(config, *chat_template);
      files.erase(chat_template_file);
    }
    // An older model's, which would count before the configuration's.
    if (!files.contains(chat_template_file)) io::remove_file(folder / chat_template_file);
    for (const auto& [name, content] : files) io::write_file(folder / name, content);
  }

 private:
  void check_id(std::int32_t id, const char* argument, std::size_t index) const {
    if (id >= 0 && id < vocab_size()) return;
    throw ArgumentError(
        argument, index,
        "id " + std::to_string(id) + " is not one of " + std::to_string(vocab_size()) + " tokens");
  }

  std::shared_ptr<const TokenizerTables> state_;
};

// Decodes ids one at a time. Half a character is held back until its other bytes arrive.
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, bool skip_special = true)
      : tokenizer_(std::move(tokenizer)), skip_special_(skip_special) {}

  // The text that is certain after this token; may be empty. Throws as Tokenizer::token_bytes.
  [[nodiscard]] std::string push(std::int32_t id) {
    const std::string& bytes = tokenizer_.token_bytes(id);
    if (skip_special_ && tokenizer_.is_special(id)) return {};
    return stream_.push(bytes);
  }
  // What was held back, as U+FFFD.
  [[nodiscard]] std::string finish() { return stream_.finish(); }

 private:
  Tokenizer tokenizer_;
  bool skip_special_;
  Utf8Stream stream_;
};

}  // namespace solopo::text
