// SIGINT and SIGTERM: the first asks the running command to finish what it is at, a later one ends the
// program at once.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace solopo::cli {

// The number it refers to is 0 until a signal comes. For commands that look at it; the others are ended by
// the signal itself, which a shell shows as the same 130 or 143. Call it before any thread is started.
//
// No handler is installed: the signals are blocked, and a thread of its own waits for them. A handler that
// runs on a thread inside oneDNN's dnnl_sgemm corrupts the heap (seen with 2.6.3, also in a program of
// nothing else); presumably its kernels keep data where the system puts the handler's frame.
inline const std::atomic<int>& watch_stop_signals() {
  static std::atomic<int> received{0};
  ::sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads started later inherit it
  std::thread([signals] {
    using Clock = std::chrono::steady_clock;
    Clock::time_point first;
    for (int number = 0;;) {
      if (::sigwait(&signals, &number) != 0) continue;
      if (received.load() == 0) {
        first = Clock::now();
        received = number;
      } else if (Clock::now() - first > std::chrono::milliseconds(500)) {
        ::_exit(128 + number);
      }  // sooner it is the same signal: timeout(1), for one, sends it to the process and to its group
    }
  }).detach();
  return received;
}

}  // namespace solopo::cli
