#include "solopo/io/file_lock.hpp"

#include "catch.hpp"
#include "test_files.hpp"

using namespace solopo;

TEST_CASE("A locked file cannot be locked again until the holder lets go, and is not emptied") {
  const test::TemporaryFolder folder;
  const auto path = folder.file("work.partial", "kept");
  {
    const io::FileLock lock(path, "held");
    CHECK_THROWS_WITH(io::FileLock(path, "somebody has it"), "somebody has it");
  }
  CHECK_NOTHROW(io::FileLock(path, "held"));
  CHECK(test::bytes_of(path) == "kept");
}

TEST_CASE("The lock on a file that its holder removed does not stand for a new one") {
  const test::TemporaryFolder folder;
  const auto path = folder / "work.partial";
  const io::FileLock first(path, "held");
  std::filesystem::remove(path);
  const io::FileLock second(path, "held");
  CHECK_THROWS_WITH(io::FileLock(path, "held"), "held");
}

TEST_CASE("A lock in a folder that is not there is an IoError") {
  CHECK_THROWS_AS(io::FileLock("/nonexistent/folder/file", "held"), IoError);
}
