// Where the program writes, and how it hears that it should stop.
#pragma once

#include <atomic>
#include <iosfwd>

namespace solopo::cli {

struct Console {
  std::ostream& out;                              // results
  std::ostream& log;                              // progress, warnings, accounts
  bool terminal = false;                          // log is a terminal: a line may be rewritten
  bool color = false;                             // log may be coloured: a terminal, and NO_COLOR is not set
  const std::atomic<int>* stop_signal = nullptr;  // not 0: the signal that asked to stop

  [[nodiscard]] bool stopping() const noexcept { return stop_signal != nullptr && stop_signal->load() != 0; }
  // What a command that stopped early returns: 130 for SIGINT, 143 for SIGTERM.
  [[nodiscard]] int stopped_code() const noexcept { return 128 + (stop_signal ? stop_signal->load() : 0); }
};

}  // namespace solopo::cli
