// A table in plain text: columns as wide as their widest cell, numbers to the right, the rest to the left.
#pragma once

#include <algorithm>
#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace solopo::cli {

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> head) : rows_{std::move(head)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  void print(std::ostream& out) const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()));
      for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], columns(row[c]));
    }
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      std::string line;
      for (std::size_t c = 0; c < rows_[r].size(); ++c) {
        const bool left = c == 0 || !holds_numbers(c);
        const std::string pad(widths[c] - columns(rows_[r][c]), ' ');
        line += (c > 0 ? "  " : "") + (left ? rows_[r][c] + pad : pad + rows_[r][c]);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out << line << '\n';
      if (r > 0) continue;
      std::size_t all = 0;
      for (const std::size_t w : widths) all += w + 2;
      out << std::string(all > 2 ? all - 2 : 0, '-') << '\n';
    }
  }

 private:
  // Whether every cell below the head begins like a number, or is empty.
  [[nodiscard]] bool holds_numbers(std::size_t column) const {
    return std::all_of(rows_.begin() + 1, rows_.end(), [&](const std::vector<std::string>& row) {
      return column >= row.size() || row[column].empty() ||
             std::string_view("0123456789+-.").find(row[column].front()) != std::string_view::npos;
    });
  }
  // Code points: right for the letters that stand in our tables.
  static std::size_t columns(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
  }
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace solopo::cli
