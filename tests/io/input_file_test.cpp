#include "solopo/io/input_file.hpp"

#include <sys/stat.h>

#include <string>

#include "catch.hpp"
#include "test_files.hpp"

using namespace solopo;
using namespace solopo::io;
using test::code_of;
using test::TemporaryFolder;

TEST_CASE("DP12: a missing file, a folder, a pipe and a compressed file are told apart") {
  const TemporaryFolder folder;
  const auto read = [](const std::filesystem::path& path) {
    return code_of([&] { static_cast<void>(read_file(path, FileRole::data, 1000)); });
  };
  CHECK(read(folder / "none") == "missing");
  CHECK(read(folder.path()) == "folder");
  CHECK(read(folder.file("a.gz", "\x1f\x8b\x08 and more")) == "compressed");
  CHECK(read(folder.file("a.zst", "\x28\xb5\x2f\xfd and more")) == "compressed");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(read(folder / "pipe") == "not_regular");  // and does not wait for a writer
  CHECK(read("/dev/zero") == "not_regular");
}

TEST_CASE("The caller says whose error a bad file is") {
  CHECK_THROWS_AS(InputFile("/none", FileRole::data), DataError);
  CHECK_THROWS_AS(InputFile("/none", FileRole::model), ModelError);
}

TEST_CASE("read_file reads no more than it was allowed") {
  const TemporaryFolder folder;
  const auto path = folder.file("a.txt", "12345");
  CHECK(read_file(path, FileRole::data, 5) == "12345");
  CHECK(code_of([&] { static_cast<void>(read_file(path, FileRole::data, 4)); }) == "too_large");
  CHECK(read_file(folder.file("empty", ""), FileRole::data, 0).empty());
}

TEST_CASE("A file that was cut after it was opened is 'truncated', not a crash") {
  const TemporaryFolder folder;
  const auto path = folder.file("a.bin", std::string(10'000, 'x'));
  const InputFile file(path, FileRole::model);
  std::filesystem::resize_file(path, 100);
  std::string out(5000, '\0');
  CHECK(code_of([&] { file.read_exact(0, out.data(), out.size()); }) == "truncated");
}

TEST_CASE("sha256_file is the digest of the bytes") {
  const TemporaryFolder folder;
  const std::string content(3'000'001, 'q');
  CHECK(sha256_file(folder.file("a.bin", content), FileRole::model) == sha256_hex(content));
}
