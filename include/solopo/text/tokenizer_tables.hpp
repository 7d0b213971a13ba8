// A tokenizer's parts after they were checked against each other: what ids, added tokens and merges a
// specification comes to.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/text/added_tokens.hpp"
#include "solopo/text/bpe.hpp"
#include "solopo/text/byte_alphabet.hpp"
#include "solopo/text/nfc.hpp"
#include "solopo/text/token_index.hpp"
#include "solopo/text/tokenizer_spec.hpp"

namespace solopo::text {

// Throws ModelError "vocab": see Tokenizer's constructor.
struct TokenizerTables {
  explicit TokenizerTables(TokenizerSpec given) : spec(std::move(given)) {
    place_tokens();
    place_added();
    resolve_merges();
    index_pieces();
    bos = marked(spec.bos, "bos_token");
    eos = marked(spec.eos, "eos_token");
  }

  void encode_piece(std::string_view piece, std::vector<std::int32_t>& out) const {
    if (piece.size() <= longest_token) {
      const auto whole = by_bytes.find(bytes, piece);
      if (whole && itself[static_cast<std::size_t>(*whole)]) return out.push_back(*whole);
    }
    encoder.encode(piece, out);
  }

  [[noreturn]] void refuse(const std::string& field, const std::string& reason) const {
    throw ModelError("vocab", {.file = spec.file, .field = field}, reason);
  }
  static std::string at(const std::string& field, std::size_t index) {
    return field + "[" + std::to_string(index) + "]";
  }

  // Text of each id: from the vocabulary, then added tokens beyond it.
  void place_tokens() {
    std::size_t count = spec.vocab.size();
    std::vector<bool> in_vocab_too(spec.added.size(), false);
    {
      // How many ids there are: those of the vocabulary, and of added tokens with other texts.
      std::vector<std::string> texts;
      texts.reserve(spec.vocab.size());
      for (const auto& entry : spec.vocab) texts.push_back(entry.first);
      TokenIndex index(texts.size());
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (!index.insert(texts, static_cast<std::int32_t>(i))) {
          refuse(at(spec.vocab_field, i), "token '" + printable(texts[i]) + "' is there twice");
        }
      }
      for (std::size_t i = 0; i < spec.added.size(); ++i) {
        const AddedToken& token = spec.added[i];
        const auto same = index.find(texts, token.content);
        in_vocab_too[i] = same.has_value();
        if (!same) {
          ++count;
        } else if (spec.vocab[static_cast<std::size_t>(*same)].second != token.id) {
          refuse(at(spec.added_field, i),
                 "'" + printable(token.content) + "' has id " + std::to_string(token.id) + ", but " +
                     std::to_string(spec.vocab[static_cast<std::size_t>(*same)].second) +
                     " in the vocabulary");
        }
      }
    }
    tokens.resize(count);
    in_vocab.assign(count, false);
    std::vector<bool> taken(count, false);
    const auto place = [&](const std::string& field, std::int64_t id, std::string text) {
      if (id < 0 || static_cast<std::uint64_t>(id) >= count) {
        refuse(field, "token '" + printable(text) + "' has id " + std::to_string(id) + ", but there are " +
                          std::to_string(count) + " tokens: some id below it is missing");
      }
      const auto slot = static_cast<std::size_t>(id);
      if (taken[slot]) {
        refuse(field, "tokens '" + printable(tokens[slot]) + "' and '" + printable(text) + "' both have id " +
                          std::to_string(id));
      }
      taken[slot] = true;
      tokens[slot] = std::move(text);
    };
    for (auto& [text, id] : spec.vocab) {
      place(spec.vocab_field, id, std::move(text));
      in_vocab[static_cast<std::size_t>(id)] = true;
    }
    for (std::size_t i = 0; i < spec.added.size(); ++i) {
      if (!in_vocab_too[i]) place(at(spec.added_field, i), spec.added[i].id, spec.added[i].content);
    }
    spec.vocab.clear();
    spec.vocab.shrink_to_fit();
    by_text = TokenIndex(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (!by_text.insert(tokens, static_cast<std::int32_t>(i))) {
        refuse(spec.added_field, "token '" + printable(tokens[i]) + "' is there twice");
      }
    }
  }

  void place_added() {
    // bos, eos and pad are markers even where the file does not list them as such.
    for (const auto& name : {spec.bos, spec.eos, spec.pad}) {
      if (!name) continue;
      const auto listed = std::find_if(spec.added.begin(), spec.added.end(),
                                       [&](const AddedToken& token) { return token.content == *name; });
      if (listed != spec.added.end()) {
        listed->special = true;
      } else if (const auto id = by_text.find(tokens, *name); id && !name->empty()) {
        spec.added.push_back({.id = *id, .content = *name, .special = true});
      }
    }
    special.assign(tokens.size(), false);
    std::vector<AddedToken> raw, normalized;
    for (const AddedToken& token : spec.added) {
      special[static_cast<std::size_t>(token.id)] = token.special;
      (token.normalized ? normalized : raw).push_back(token);
      if (token.normalized && spec.nfc) normalized.back().content = to_nfc(token.content);
    }
    raw_added = AddedTokenMatcher(std::move(raw));
    normalized_added = AddedTokenMatcher(std::move(normalized));
  }

  void resolve_merges() {
    merges.reserve(spec.merges.size());
    for (const auto& [left, right] : spec.merges) {
      const auto id = [&](const std::string& text) {
        const auto found = by_text.find(tokens, text);
        if (!found || !in_vocab[static_cast<std::size_t>(*found)]) {
          refuse(at(spec.merges_field, merges.size()), "'" + printable(text) + "' is not in the vocabulary");
        }
        return *found;
      };
      merges.push_back({id(left), id(right), id(left + right)});
    }
    spec.merges.clear();
    spec.merges.shrink_to_fit();

    std::int32_t unknown = -1;
    if (spec.unknown) {
      const auto found = by_text.find(tokens, *spec.unknown);
      if (!found) refuse("unk_token", "'" + printable(*spec.unknown) + "' is not in the vocabulary");
      unknown = *found;
    }
    std::array<std::int32_t, 256> byte_tokens{};
    for (unsigned b = 0; b < 256; ++b) {
      const char byte = static_cast<char>(static_cast<unsigned char>(b));
      const auto found = by_text.find(tokens, to_byte_alphabet(std::string_view(&byte, 1)));
      byte_tokens[b] = found && in_vocab[static_cast<std::size_t>(*found)] ? *found : unknown;
    }
    encoder = BytePairEncoder(byte_tokens, merges);
  }

  // Bytes of every token, and which pieces are a single token: most words are, and need no merging.
  void index_pieces() {
    bytes.reserve(tokens.size());
    by_bytes = TokenIndex(tokens.size());
    itself.assign(tokens.size(), false);
    std::vector<std::int32_t> merged;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      // An added token is its own text, also where that could be read in the byte alphabet.
      const auto plain = in_vocab[i] ? from_byte_alphabet(tokens[i]) : std::nullopt;
      bytes.push_back(plain ? *plain : tokens[i]);
      if (!plain || plain->empty()) continue;
      const auto id = static_cast<std::int32_t>(i);
      by_bytes.insert(bytes, id);
      longest_token = std::max(longest_token, plain->size());
      merged.clear();
      if (!spec.ignore_merges) encoder.encode(*plain, merged);
      itself[i] = spec.ignore_merges || (merged.size() == 1 && merged[0] == id);
    }
  }

  std::optional<std::int32_t> marked(const std::optional<std::string>& name, const char* what) const {
    if (!name) return std::nullopt;
    const auto id = by_text.find(tokens, *name);
    if (!id) refuse(what, "'" + printable(*name) + "' is not in the vocabulary");
    return id;
  }

  TokenizerSpec spec;               // without vocab and merges, which moved into the members below
  std::vector<std::string> tokens;  // (n) as the vocabulary writes them
  std::vector<bool> in_vocab;       // (n) false: an added token only
  std::vector<bool> special;        // (n)
  std::vector<std::string> bytes;   // (n) what each stands for
  TokenIndex by_text, by_bytes;     // by_bytes: tokens a piece can be
  std::vector<bool> itself;         // (n) a piece with these bytes is encoded as this one token
  std::size_t longest_token = 0;    // bytes
  std::vector<Merge> merges;
  BytePairEncoder encoder;
  AddedTokenMatcher raw_added, normalized_added;
  std::optional<std::int32_t> bos, eos;
};

}  // namespace solopo::text
