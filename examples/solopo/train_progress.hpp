// The progress of training: one line that is rewritten on a terminal, plain lines now and then elsewhere.
#pragma once

#include <cstdint>
#include <string>

#include "console.hpp"
#include "progress.hpp"
#include "solopo/train/metrics.hpp"

namespace solopo::cli {

class TrainProgress {
 public:
  explicit TrainProgress(const Console& console) : console_(console), start_(now()), shown_(start_) {}
  TrainProgress(const TrainProgress&) = delete;
  TrainProgress& operator=(const TrainProgress&) = delete;
  ~TrainProgress() { clear(); }

  // Steps [first, last) come next.
  void begin(std::int64_t first, std::int64_t last) {
    first_ = first;
    last_ = last;
    start_ = now();
  }

  // "step 12/40, 3 min 20 s left, 812 tok/s, loss 0.693, margin 0.012, gap 0.101".
  void step(std::int64_t step, const Metrics& metrics) {
    const double left =
        (now() - start_) / static_cast<double>(step - first_) * static_cast<double>(last_ - step);
    std::string line = fmt::format("step {}/{}", step, last_);
    if (step < last_) line += fmt::format(", {} left", format_duration(left));
    const auto add = [&](const char* name, const char* format) {
      if (const auto value = metrics.find(name)) line += fmt::format(fmt::runtime(format), *value);
    };
    add("tokens_per_second", ", {:.0f} tok/s");
    add("loss", ", loss {:.4f}");
    add("rewards/margins", ", margin {:.4f}");
    add("solo_ra/gap", ", gap {:.4f}");
    show(line, step == last_ || step == first_ + 1);
  }

  // Anything else that takes long: "reference 30/160".
  void count(const char* what, std::size_t done, std::size_t all) {
    show(fmt::format("{} {}/{}", what, done, all), false);
  }

  // A line of its own.
  void say(const std::string& line) {
    clear();
    console_.log << line << std::endl;
  }
  void warn(const std::string& message) {
    say((console_.color ? "\x1b[33mwarning\x1b[0m: " : "warning: ") + message);
  }

 private:
  static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  void show(std::string line, bool always) {
    const double at = now();
    if (!always && at - shown_ < (console_.terminal ? 0.1 : 10.0)) return;
    shown_ = at;
    if (!console_.terminal) {
      console_.log << line << std::endl;
      return;
    }
    struct ::winsize size {};
    const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20;
    const std::size_t width = known ? size.ws_col - 1U : 79U;
    if (line.size() > width) line.resize(width);
    console_.log << '\r' << line << "\x1b[K" << std::flush;
    open_ = true;
  }

  void clear() {
    if (open_) console_.log << "\r\x1b[K" << std::flush;
    open_ = false;
  }

  const Console& console_;
  std::int64_t first_ = 0, last_ = 0;
  double start_, shown_;
  bool open_ = false;  // a line without its end is on the terminal
};

}  // namespace solopo::cli
