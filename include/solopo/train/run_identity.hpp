// What makes two runs the same run: a resumed run must have the same settings, or it would end elsewhere.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"

namespace solopo {

// Settings by name, in a fixed order, each as text.
using RunIdentity = std::vector<std::pair<std::string, std::string>>;

// Settings that no option makes changeable: with another one the saved state has no meaning.
inline constexpr std::array<std::string_view, 7> fixed_settings = {"model", "lora", "adapter",   "tokenizer",
                                                                   "data",  "seed", "batch_size"};

// A resumed run whose settings differ.
class ResumeError : public Error {
 public:
  explicit ResumeError(std::vector<std::string> differences)
      : Error(describe(differences)), differences_(std::move(differences)) {}
  // One for each setting: "beta: was 0.1, is 0.2".
  [[nodiscard]] const std::vector<std::string>& differences() const noexcept { return differences_; }

 private:
  static std::string describe(const std::vector<std::string>& differences) {
    std::string out = "cannot resume, the settings differ from those of the checkpoint:";
    for (const std::string& difference : differences) out += "\n" + difference;
    return out +
           "\nGive the same settings, --allow-change KEY for those that may differ, or another output "
           "folder.";
  }

  std::vector<std::string> differences_;
};

// Throws ResumeError listing every setting that differs, except those in `allowed` that are not fixed.
inline void check_same_run(const RunIdentity& saved, const RunIdentity& current,
                           std::span<const std::string> allowed) {
  std::vector<std::string> differences;
  const auto may_change = [&](const std::string& key) {
    return std::find(allowed.begin(), allowed.end(), key) != allowed.end() &&
           std::find(fixed_settings.begin(), fixed_settings.end(), key) == fixed_settings.end();
  };
  const auto find = [](const RunIdentity& in, const std::string& key) {
    const auto at = std::find_if(in.begin(), in.end(), [&](const auto& entry) { return entry.first == key; });
    return at == in.end() ? std::string("not set") : printable(at->second);
  };
  const auto compare = [&](const std::string& key) {
    const std::string was = find(saved, key), is = find(current, key);
    if (was == is || may_change(key)) return;
    const bool fixed = std::find(fixed_settings.begin(), fixed_settings.end(), key) != fixed_settings.end();
    differences.push_back(key + ": was " + was + ", is " + is + (fixed ? " (can never change)" : ""));
  };
  for (const auto& [key, value] : saved) compare(key);
  for (const auto& [key, value] : current) {
    // Named in the capture: clang 14 cannot capture a structured binding.
    const auto has_key = [&name = key](const auto& entry) { return entry.first == name; };
    if (std::none_of(saved.begin(), saved.end(), has_key)) compare(key);
  }
  if (!differences.empty()) throw ResumeError(std::move(differences));
}

}  // namespace solopo
