// Options of an objective by name, as a command line or a configuration gives them.
#pragma once

#include <charconv>
#include <concepts>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "solopo/core/option.hpp"

namespace solopo {

// A number, a name or a switch.
class OptionValue {
 public:
  template <class X>
  requires(std::integral<X> || std::floating_point<X>) OptionValue(X value)
      : value_(static_cast<float>(value)) {}                      // NOLINT: converts on purpose
  OptionValue(bool value) : value_(value) {}                      // NOLINT
  OptionValue(std::string value) : value_(std::move(value)) {}    // NOLINT
  OptionValue(const char* value) : value_(std::string(value)) {}  // NOLINT

  // The value when it is of that kind, else null.
  [[nodiscard]] const float* number() const noexcept { return std::get_if<float>(&value_); }
  [[nodiscard]] const std::string* name() const noexcept { return std::get_if<std::string>(&value_); }
  [[nodiscard]] const bool* flag() const noexcept { return std::get_if<bool>(&value_); }

  // As it would be written: 0.1, huber, true.
  [[nodiscard]] std::string text() const {
    if (const bool* f = flag()) return *f ? "true" : "false";
    if (const std::string* n = name()) return *n;
    char digits[32];
    return {digits, std::to_chars(digits, digits + sizeof digits, *number()).ptr};
  }

  friend bool operator==(const OptionValue&, const OptionValue&) = default;

 private:
  std::variant<float, std::string, bool> value_;
};

// The value that a text stands for: true and false are switches, what reads as a number to its end is one,
// all else is a name.
[[nodiscard]] inline OptionValue option_value(std::string_view text) {
  if (text == "true" || text == "false") return text == "true";
  float number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc{} && stopped == end) return number;
  return std::string(text);
}

// What a user sets; what is missing takes the objective's default.
using ObjectiveOptions = std::map<std::string, OptionValue, std::less<>>;

// One option of one objective.
struct ObjectiveOption {
  std::string name;
  OptionValue standard;              // the default, which also tells the kind
  Range range{};                     // of a number
  std::vector<std::string> names{};  // that a name may be
};

}  // namespace solopo
