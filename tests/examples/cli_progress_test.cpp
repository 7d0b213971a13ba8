#include "progress.hpp"

#include <sstream>
#include <string>

#include "catch.hpp"

using namespace solopo::cli;

TEST_CASE("Durations are written in two units") {
  CHECK(format_duration(0) == "0 s");
  CHECK(format_duration(59.4) == "59 s");
  CHECK(format_duration(60) == "1 min 00 s");
  CHECK(format_duration(3725) == "1 h 02 min");
}

TEST_CASE("Progress off a terminal writes whole lines, seldom, and no control codes") {
  std::ostringstream log;
  double now = 0;
  {
    Progress progress(log, false, "eval", 1000, [&now] { return now; });
    for (int done = 1; done <= 1000; ++done) {
      now += 0.1;
      progress.update(done);
    }
    progress.update(1000);
  }
  const std::string text = log.str();
  CHECK(text.find('\r') == std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 10);
  CHECK(text.find("eval 500/1000, 50 s left\n") != std::string::npos);
  CHECK(text.find("eval 1000/1000, 1 min 40 s\n") != std::string::npos);
}

TEST_CASE("Progress off a terminal does not write more than a line in five seconds before the end") {
  std::ostringstream log;
  double now = 0;
  Progress progress(log, false, "eval", 100, [&now] { return now; });
  for (int done = 1; done < 100; ++done) {
    now += 0.01;
    progress.update(done);
  }
  CHECK(log.str().empty());
}

TEST_CASE("Progress on a terminal rewrites one line and removes it at the end") {
  std::ostringstream log;
  double now = 0;
  {
    Progress progress(log, true, "eval", 100, [&now] { return now; });
    for (int done = 1; done < 100; ++done) {
      now += 0.05;
      progress.update(done);
    }
  }
  const std::string text = log.str();
  CHECK(text.find('\n') == std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\r') <= 52);
  CHECK(text.substr(text.size() - 4) == "\r\x1b[K");
}
