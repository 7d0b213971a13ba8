// How far a long job is: on a terminal one line that is rewritten, elsewhere a plain line now and then.
#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace solopo::cli {

// "2 h 05 min", "3 min 20 s", "12 s".
inline std::string format_duration(double seconds) {
  const auto s = static_cast<std::int64_t>(std::max(0.0, seconds) + 0.5);
  if (s >= 3600) return fmt::format("{} h {:02} min", s / 3600, s % 3600 / 60);
  if (s >= 60) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} s", s);
}

class Progress {
 public:
  using Clock = std::function<double()>;  // seconds, from any start

  Progress(std::ostream& log, bool terminal, std::string label, std::int64_t total,
           Clock clock = &Progress::steady_seconds)
      : log_(log),
        terminal_(terminal),
        label_(std::move(label)),
        total_(total),
        clock_(std::move(clock)),
        begin_(clock_()) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  // `done` of the total; `note` stands at the end. Rewrites at most ten times a second; writes plain lines
  // when another tenth is done, but not within five seconds of the last.
  void update(std::int64_t done, std::string_view note = {}) {
    const double now = clock_();
    const bool last = done >= total_;
    if (terminal_) {
      if (!last && shown_ && now - last_shown_ < 0.1) return;
      std::string line = text(done, now, note);
      const std::size_t width = columns();
      if (line.size() > width) line.resize(width);
      log_ << '\r' << line << "\x1b[K" << std::flush;
    } else {
      const std::int64_t tenth = total_ > 0 ? 10 * done / total_ : 10;
      if (!last && (tenth <= last_tenth_ || now - (shown_ ? last_shown_ : begin_) < 5)) return;
      if (last && last_done_ == done) return;
      last_tenth_ = tenth;
      log_ << text(done, now, note) << std::endl;
    }
    shown_ = true;
    last_shown_ = now;
    last_done_ = done;
  }

  // Removes the line from the terminal, before something else is written. The next update shows it again.
  void clear() {
    if (terminal_ && shown_) log_ << "\r\x1b[K" << std::flush;
    if (terminal_) shown_ = false;
  }

  [[nodiscard]] double seconds() const { return clock_() - begin_; }

 private:
  static double steady_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  static std::size_t columns() {
    struct ::winsize size {};
    const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20;
    return known ? size.ws_col - 1U : 79U;
  }
  [[nodiscard]] std::string text(std::int64_t done, double now, std::string_view note) const {
    const double spent = now - begin_;
    std::string line = fmt::format("{} {}/{}", label_, done, total_);
    if (done > 0 && done < total_) {
      const double left = spent / static_cast<double>(done) * static_cast<double>(total_ - done);
      line += fmt::format(", {} left", format_duration(left));
    } else if (done >= total_) {
      line += fmt::format(", {}", format_duration(spent));
    }
    if (!note.empty()) line += fmt::format(", {}", note);
    return line;
  }

  std::ostream& log_;
  bool terminal_;
  std::string label_;
  std::int64_t total_;
  Clock clock_;
  double begin_;
  bool shown_ = false;
  double last_shown_ = 0;
  std::int64_t last_tenth_ = 0, last_done_ = -1;
};

}  // namespace solopo::cli
