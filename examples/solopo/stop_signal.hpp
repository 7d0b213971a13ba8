// SIGINT and SIGTERM: the first asks the running command to finish what it is at, the second ends the program
// at once.
#pragma once

#include <unistd.h>
#include <csignal>

#include <atomic>

namespace solopo::cli {

namespace stop_signal_detail {

inline std::atomic<int> received{0};
static_assert(std::atomic<int>::is_always_lock_free);  // else a handler may not touch it

extern "C" inline void on_stop_signal(int number) {
  if (received.exchange(number) != 0) ::_exit(128 + number);
}

}  // namespace stop_signal_detail

// Installs the handlers; the number it refers to is 0 until a signal comes. For commands that look at it: the
// others are ended by the signal itself, which a shell shows as the same 130 or 143.
inline const std::atomic<int>& watch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = stop_signal_detail::on_stop_signal;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  return stop_signal_detail::received;
}

}  // namespace solopo::cli
