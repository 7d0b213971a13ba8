#include "solopo/train/run_lock.hpp"

#include <sys/wait.h>

#include "catch.hpp"
#include "tiny_run.hpp"

using namespace solopo;

TEST_CASE("A second run into the same folder is refused, also from another process, until the first ends") {
  test::TemporaryFolder folder;
  {
    const RunLock lock(folder.path());
    CHECK_THROWS_WITH(RunLock(folder.path()), Catch::Contains("another process"));
    const ::pid_t child = ::fork();
    if (child == 0) {
      try {
        const RunLock second(folder.path());
        ::_exit(0);
      } catch (const Error&) {
        ::_exit(7);
      }
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 7);
  }
  CHECK_NOTHROW(RunLock(folder.path()));
}

TEST_CASE("A process that was killed leaves no lock") {
  test::TemporaryFolder folder;
  const ::pid_t child = ::fork();
  if (child == 0) {
    const RunLock lock(folder.path());
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  CHECK_NOTHROW(RunLock(folder.path()));
}

TEST_CASE("A folder that is not there is an IoError") {
  CHECK_THROWS_AS(RunLock("/nonexistent/folder"), IoError);
}
