// JSON text from files nobody vouches for, parsed by nlohmann-json behind checks that it does not make:
// UTF-8, depth, size, duplicate keys, text after the end. Every error names the file and the byte.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/io/file_fault.hpp"
#include "solopo/io/input_file.hpp"
#include "solopo/io/refuse_fast_math.hpp"
#include "solopo/io/utf8.hpp"

namespace solopo::io {

// Its number types keep integers apart from floats: 3 is is_number_unsigned(), -3 is_number_integer(), 3.0,
// 3e0 and anything beyond 64 bits is_number_float().
using Json = nlohmann::json;

// Where a JSON text comes from, for errors.
struct JsonOrigin {
  std::string file;
  FileRole role = FileRole::data;
  std::uint64_t line = 0;    // of the file, 0: the text is not one line of it
  std::uint64_t offset = 0;  // of the text's first byte in the file
};

struct JsonLimits {
  std::size_t max_depth = 64;
  std::uint64_t max_bytes = std::uint64_t{256} << 20;
  bool allow_bom = false;  // a UTF-8 byte order mark before the text
  bool allow_nul = true;   // \u0000 inside a string
};

// Receives the parts of a JSON text in order. A handler refuses by fail(), which knows the position.
// Strings may be moved from.
class JsonHandler : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(std::int64_t) override { return true; }
  bool number_unsigned(std::uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(Json::binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(std::string&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  // The text is not JSON.
  bool parse_error(std::size_t bytes_read, const std::string&,
                   const nlohmann::detail::exception& error) final {
    read_ = text_ + (bytes_read > 0 ? bytes_read - 1 : 0);  // at the byte that does not fit, or the end
    // Without the library's own prefix "[json.exception...] parse error at line 1, column 2: ".
    std::string_view reason = error.what();
    if (const auto end = reason.find("] "); end != std::string_view::npos) reason.remove_prefix(end + 2);
    if (const auto end = reason.find(": ");
        reason.starts_with("parse error at") && end != std::string_view::npos) {
      reason.remove_prefix(end + 2);
    }
    fail("json", printable(reason, 200));
  }

 protected:
  // Bytes of the text read so far: just past the part being reported (one more after a number).
  [[nodiscard]] std::uint64_t position() const noexcept { return static_cast<std::uint64_t>(read_ - begin_); }
  [[noreturn]] void fail(const char* code, const std::string& reason, std::string field = {}) const {
    throw_fault(origin_->role, code,
                {.file = origin_->file,
                 .line = origin_->line,
                 .offset = origin_->offset + position(),
                 .has_offset = true,
                 .field = std::move(field)},
                reason);
  }

 private:
  friend void walk_json(std::string_view, const JsonOrigin&, const JsonLimits&, JsonHandler&);
  const char* begin_ = nullptr;
  const char* text_ = nullptr;  // begin_, or past the byte order mark
  const char* read_ = nullptr;
  const JsonOrigin* origin_ = nullptr;
};

namespace json_detail {

// Iterator that leaves its position where the handler can see it.
struct TracedChar {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  const char* at;
  const char** trace;
  reference operator*() const noexcept { return *at; }
  TracedChar& operator++() noexcept {
    *trace = ++at;
    return *this;
  }
  TracedChar operator++(int) noexcept {
    TracedChar before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const TracedChar& a, const TracedChar& b) noexcept { return a.at == b.at; }
  friend bool operator!=(const TracedChar& a, const TracedChar& b) noexcept { return a.at != b.at; }
};

// Counts depth and passes everything on.
class DepthLimit final : public nlohmann::json_sax<Json> {
 public:
  DepthLimit(JsonHandler& inner, std::size_t limit, bool allow_nul, std::string& refusal)
      : inner_(inner), limit_(limit), allow_nul_(allow_nul), refusal_(refusal) {}
  bool null() override { return inner_.null(); }
  bool boolean(bool value) override { return inner_.boolean(value); }
  bool number_integer(std::int64_t value) override { return inner_.number_integer(value); }
  bool number_unsigned(std::uint64_t value) override { return inner_.number_unsigned(value); }
  bool number_float(double value, const std::string& text) override {
    return inner_.number_float(value, text);
  }
  bool string(std::string& value) override { return nul_free(value) && inner_.string(value); }
  bool binary(Json::binary_t& value) override { return inner_.binary(value); }
  bool start_object(std::size_t size) override { return deeper() && inner_.start_object(size); }
  bool key(std::string& name) override { return nul_free(name) && inner_.key(name); }
  bool end_object() override { return --depth_, inner_.end_object(); }
  bool start_array(std::size_t size) override { return deeper() && inner_.start_array(size); }
  bool end_array() override { return --depth_, inner_.end_array(); }
  bool parse_error(std::size_t at, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    return inner_.parse_error(at, token, error);
  }

 private:
  bool deeper() {
    if (++depth_ <= limit_) return true;
    refusal_ = "it is nested deeper than " + std::to_string(limit_) + " levels";
    return false;
  }
  bool nul_free(const std::string& text) {
    if (allow_nul_ || text.find('\0') == std::string::npos) return true;
    refusal_ = "a string holds the character NUL";
    return false;
  }
  JsonHandler& inner_;
  std::size_t limit_, depth_ = 0;
  bool allow_nul_;
  std::string& refusal_;
};

// Builds the document; a key that an object already has is an error.
class DocumentBuilder final : public JsonHandler {
 public:
  [[nodiscard]] Json take() { return std::move(root_); }
  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(std::int64_t value) override { return put(value); }
  bool number_unsigned(std::uint64_t value) override { return put(value); }
  bool number_float(double value, const std::string&) override { return put(value); }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool key(std::string& name) override {
    auto& members = *open_.back()->get_ptr<Json::object_t*>();
    const auto [member, is_new] = members.emplace(std::move(name), nullptr);
    if (!is_new) fail("duplicate", "the key appears twice in one object", member->first);
    slot_ = &member->second;
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

 private:
  template <class Value>
  bool put(Value&& value) {
    place(Json(std::forward<Value>(value)));
    return true;
  }
  bool open(Json container) {
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  Json* place(Json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_object()) return &(*slot_ = std::move(value));
    auto& elements = *open_.back()->get_ptr<Json::array_t*>();
    return &elements.emplace_back(std::move(value));  // stays put: its array grows only after it is closed
  }
  Json root_;
  std::vector<Json*> open_;  // from the root to the container being filled
  Json* slot_ = nullptr;     // where the member whose key was read belongs
};

}  // namespace json_detail

// Passes a JSON text to `handler` without building a document. Codes: too_large, utf8 (with the offset of the
// first bad byte), json.
inline void walk_json(std::string_view text, const JsonOrigin& origin, const JsonLimits& limits,
                      JsonHandler& handler) {
  handler.origin_ = &origin;
  handler.begin_ = handler.read_ = text.data();
  const auto refuse_at = [&](std::size_t at, const char* code, const std::string& reason) {
    handler.read_ = text.data() + at;
    handler.fail(code, reason);
  };
  if (text.size() > limits.max_bytes) {
    refuse_at(0, "too_large",
              "the JSON text has " + std::to_string(text.size()) + " bytes, at most " +
                  std::to_string(limits.max_bytes) + " are read");
  }
  if (const auto bad = find_invalid_utf8(text)) refuse_at(*bad, "utf8", "the text is not valid UTF-8");
  // The parser takes a NUL byte for the end, and would accept anything after it.
  if (const auto nul = text.find('\0'); nul != text.npos) refuse_at(nul, "json", "the text holds a NUL byte");
  if (text.starts_with("\xef\xbb\xbf")) {
    if (!limits.allow_bom) refuse_at(0, "json", "the text begins with a byte order mark");
    text.remove_prefix(3);
  }
  std::string refusal;
  json_detail::DepthLimit limited(handler, limits.max_depth, limits.allow_nul, refusal);
  const char* const end = text.data() + text.size();
  const json_detail::TracedChar first{text.data(), &handler.read_}, last{end, &handler.read_};
  handler.text_ = handler.read_ = text.data();
  const bool done = Json::sax_parse(first, last, &limited);
  if (!refusal.empty()) handler.fail("json", refusal);
  if (!done) handler.fail("json", "the text was refused");
}

// Parses one JSON value that fills `text`. Throws DataError or ModelError (origin.role) with the code
// too_large, utf8, json or duplicate.
[[nodiscard]] inline Json parse_json(std::string_view text, const JsonOrigin& origin,
                                     const JsonLimits& limits = {}) {
  json_detail::DocumentBuilder builder;
  walk_json(text, origin, limits, builder);
  return builder.take();
}
[[nodiscard]] inline Json parse_json(std::string_view text, const std::string& file, FileRole role,
                                     const JsonLimits& limits = {}) {
  return parse_json(text, JsonOrigin{.file = file, .role = role}, limits);
}

// A whole file that is one JSON value; a byte order mark is skipped. The codes of InputFile, too.
[[nodiscard]] inline Json parse_json_file(const std::filesystem::path& path, FileRole role,
                                          JsonLimits limits = {}) {
  limits.allow_bom = true;
  return parse_json(read_file(path, role, limits.max_bytes), path.string(), role, limits);
}

// One line of JSON. NaN and infinities, which JSON cannot hold, become null. Throws ArgumentError when a
// string is not UTF-8, so that no file is written which parse_json refuses. indent: spaces a level, -1 for
// one line.
[[nodiscard]] inline std::string dump_json(const Json& value, int indent = -1) {
  try {
    return value.dump(indent);
  } catch (const Json::type_error&) {
    throw ArgumentError("value", "a string is not valid UTF-8");
  }
}

// Replaces NaN and infinities by null, at every depth; true if there were any.
inline bool null_nonfinite(Json& value) {
  if (value.is_number_float() && !(std::abs(value.get<double>()) <= std::numeric_limits<double>::max())) {
    value = nullptr;
    return true;
  }
  bool any = false;
  if (value.is_structured()) {
    for (Json& element : value) any |= null_nonfinite(element);
  }
  return any;
}

}  // namespace solopo::io
