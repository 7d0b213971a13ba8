// Axes: round tick values, and how to write them.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

namespace solopo::cli {

enum class NumberStyle { plain, percent };  // percent: 0.25 is written 25 %

// A linear axis from the first tick or `low` to the last tick or `high`.
struct Axis {
  double low = 0, high = 1, step = 1;
  std::vector<double> ticks{};

  // Place of a value between 0 (low) and 1 (high), kept inside.
  [[nodiscard]] double place(double value) const {
    return std::clamp((value - low) / (high - low), 0.0, 1.0);
  }
};

// Ticks at 1, 2, 2.5 or 5 times a power of ten, about `count` of them, around [low, high]. With `tight` the
// axis ends at low and high, not at ticks. An empty range is widened.
inline Axis nice_axis(double low, double high, int count = 5, bool tight = false) {
  if (!std::isfinite(low) || !std::isfinite(high)) {
    low = 0;
    high = 1;
  }
  if (low > high) std::swap(low, high);
  if (high - low < 1e-9 * std::max({1.0, std::abs(low), std::abs(high)})) {
    const double pad = std::max(0.5 * std::abs(high), 0.5);
    low -= pad;
    high += pad;
    tight = false;
  }
  const double raw = (high - low) / count, power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * power >= raw * 0.999) {
      step = factor * power;
      break;
    }
  }
  Axis axis{.low = low, .high = high, .step = step, .ticks = {}};
  double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
  if (!tight) {
    first = std::floor(low / step + 1e-9);
    last = std::ceil(high / step - 1e-9);
    axis.low = first * step;
    axis.high = last * step;
  }
  for (double i = first; i <= last + 0.5; ++i) axis.ticks.push_back(i == 0 ? 0.0 : i * step);
  return axis;
}

// A tick's text, with as many decimals as its step needs.
inline std::string tick_text(double value, double step, NumberStyle style = NumberStyle::plain) {
  if (style == NumberStyle::percent) {
    value *= 100;
    step *= 100;
  }
  int decimals = 0;
  for (double s = step; decimals < 6 && std::abs(s - std::round(s)) > 1e-6 * s; s *= 10) ++decimals;
  if (decimals == 0 && std::abs(value) >= 1e6) return fmt::format("{:.3g}", value);
  if (decimals == 0 && std::abs(value) >= 10000 && std::fmod(value, 1000) == 0)
    return fmt::format("{:.0f}k", value / 1000);
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (text[0] == '-') text.replace(0, 1, "\xe2\x88\x92");  // a minus as wide as a plus
  return style == NumberStyle::percent ? text + "%" : text;
}

// Width of a text at a font size, in the same units; an estimate from above for a sans-serif font.
inline double text_width(std::string_view text, double size) {
  double ems = 0;
  for (const char c : text) {
    if ((c & 0xc0) == 0x80) continue;
    const bool narrow = std::string_view("iljtf.,:;|!' ()[]").find(c) != std::string_view::npos;
    const bool wide = std::string_view("mwMW%@").find(c) != std::string_view::npos;
    ems += narrow ? 0.34 : wide ? 0.9 : 0.6;
  }
  return ems * size;
}

}  // namespace solopo::cli
