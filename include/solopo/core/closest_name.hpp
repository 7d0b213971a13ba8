// "Did you mean": the known name nearest to a mistyped one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace solopo {

// Levenshtein distance: insertions, deletions and substitutions of bytes.
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// "; did you mean 'x'?" when a name is near (at most 2 edits, or a third of the length), and the list of all
// unless it is long and one is near.
template <class Names>
[[nodiscard]] std::string suggestion(std::string_view wrong, const Names& names) {
  std::string_view best;
  std::size_t fewest = std::max<std::size_t>(2, std::min<std::size_t>(wrong.size(), 64) / 3) + 1;
  std::string all;
  std::size_t count = 0;
  for (const std::string_view name : names) {
    ++count;
    all += (all.empty() ? "" : ", ") + std::string(name);
    const std::size_t edits = edit_distance(wrong.substr(0, 64), name);
    if (edits < fewest) {
      fewest = edits;
      best = name;
    }
  }
  std::string out;
  if (!best.empty()) out += "; did you mean '" + std::string(best) + "'?";
  constexpr std::size_t long_list = 12;
  return best.empty() || count <= long_list ? out + " (known: " + all + ")" : out;
}

}  // namespace solopo
