#include "solopo/io/jsonl_writer.hpp"

#include <cmath>
#include <limits>
#include <string>

#include "catch.hpp"
#include "test_files.hpp"

using namespace solopo;
using namespace solopo::io;
using test::bytes_of;
using test::TemporaryFolder;

namespace {

// Writes five bytes, then the disk is full.
class FullDisk : public SystemCalls {
 public:
  bool full = false;
  ::ssize_t write(int descriptor, const void* data, std::size_t bytes) override {
    if (!full) return SystemCalls::write(descriptor, data, bytes);
    if (bytes > 5 && !begun_) return begun_ = true, SystemCalls::write(descriptor, data, 5);
    return errno = ENOSPC, -1;
  }

 private:
  bool begun_ = false;
};

}  // namespace

TEST_CASE("NU9: a metric that is NaN or infinite becomes null, and the record says so") {
  CHECK(jsonl_line({{"loss", 0.5}, {"step", 1}}) == R"({"loss":0.5,"step":1})");
  CHECK(jsonl_line({{"loss", std::nan("")}, {"step", 1}}) == R"({"loss":null,"nonfinite":true,"step":1})");
  const Json line = Json::parse(
      jsonl_line({{"a", {{"b", -std::numeric_limits<double>::infinity()}}}, {"c", std::nanf("")}}));
  CHECK(line["nonfinite"] == true);
  CHECK(line["a"]["b"].is_null());
  CHECK(line["c"].is_null());
  CHECK_THROWS_AS(jsonl_line(3), ArgumentError);
}

TEST_CASE("JsonlWriter shows nothing before commit") {
  const TemporaryFolder folder;
  JsonlWriter writer(folder / "f.jsonl");
  writer.write({{"a", 1}});
  writer.write({{"a", "\n"}});
  CHECK_FALSE(std::filesystem::exists(folder / "f.jsonl"));
  writer.commit();
  CHECK(bytes_of(folder / "f.jsonl") == "{\"a\":1}\n{\"a\":\"\\n\"}\n");
  CHECK(writer.records() == 2);
}

TEST_CASE("JsonlAppender adds lines that are in the file at once") {
  const TemporaryFolder folder;
  const auto path = folder / "m.jsonl";
  {
    JsonlAppender appender(path);
    appender.write({{"step", 1}});
    CHECK(bytes_of(path) == "{\"step\":1}\n");
  }
  JsonlAppender again(path);
  again.write({{"step", 2}});
  again.sync();
  CHECK(bytes_of(path) == "{\"step\":1}\n{\"step\":2}\n");
}

TEST_CASE("JsonlAppender cuts off the half line of a killed run") {
  const TemporaryFolder folder;
  const auto path = folder.file("m.jsonl", "{\"step\":1}\n{\"ste" + std::string(100'000, 'x'));
  JsonlAppender appender(path);
  appender.write({{"step", 2}});
  CHECK(bytes_of(path) == "{\"step\":1}\n{\"step\":2}\n");
  const auto half = folder.file("n.jsonl", "{\"ste");
  JsonlAppender(half).write({{"step", 1}});
  CHECK(bytes_of(half) == "{\"step\":1}\n");
}

TEST_CASE("A cleared JsonlAppender begins anew, and a failure then leaves its new lines") {
  const TemporaryFolder folder;
  const auto path = folder.file("m.jsonl", "{\"step\":1}\n{\"step\":2}\n");
  FullDisk disk;
  JsonlAppender appender(path, disk);
  appender.clear();
  CHECK(bytes_of(path).empty());
  appender.write({{"step", 3}});
  disk.full = true;
  CHECK_THROWS_AS(appender.write({{"step", 4}}), IoError);
  CHECK(bytes_of(path) == "{\"step\":3}\n");
}

TEST_CASE("JsonlAppender leaves no half line when the disk is full") {
  const TemporaryFolder folder;
  const auto path = folder / "m.jsonl";
  FullDisk disk;
  JsonlAppender appender(path, disk);
  appender.write({{"step", 1}});
  disk.full = true;
  CHECK_THROWS_AS(appender.write({{"step", 2}}), IoError);
  CHECK(bytes_of(path) == "{\"step\":1}\n");
  CHECK_THROWS_AS(JsonlAppender("/dev/full"), FileError);
}
