#include "solopo/io/jsonl_reader.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "solopo/io/jsonl.hpp"
#include "test_files.hpp"

using namespace solopo;
using namespace solopo::io;
using test::TemporaryFolder;

namespace {

struct Outcome {
  std::vector<std::uint64_t> lines;
  std::vector<BadLine> bad;
  std::string code = "none";
  std::string message;
  FilePosition where;
  std::size_t replaced = 0;
};

Outcome read_all(std::string_view content, JsonlOptions options = {}) {
  const TemporaryFolder folder;
  Outcome out;
  JsonlReader reader(folder.file("f.jsonl", content), options);
  try {
    while (const auto record = reader.next()) out.lines.push_back(record->line);
  } catch (const DataError& error) {
    out.code = error.code();
    out.message = error.what();
    out.where = error.where();
  }
  out.bad = reader.bad_lines();
  out.replaced = reader.replaced_utf8();
  return out;
}

using Lines = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("DP1: CRLF, a byte order mark, blank lines and a missing last newline are fine") {
  const Outcome out = read_all("\xef\xbb\xbf{\"a\":1}\r\n\r\n   \n{\"a\":2}\n\n{\"a\":3}");
  CHECK(out.code == "none");
  CHECK(out.lines == Lines{1, 4, 6});
}

TEST_CASE("DP1: an empty file and one of blank lines are refused") {
  CHECK(read_all("").code == "empty");
  CHECK(read_all("\n\r\n  \n").code == "empty");
  CHECK(read_all("\xef\xbb\xbf").code == "empty");
}

TEST_CASE("DP1: a cut last line is a bad line that says so") {
  const Outcome out = read_all("{\"a\":1}\n{\"a\":");
  CHECK(out.lines == Lines{1});
  CHECK(out.code == "json");
  CHECK(out.where.line == 2);
  CHECK(out.message.find("cut") != std::string::npos);
  CHECK(read_all("{\"a\":1}\n{\"a\":", {.max_bad = 1}).code == "none");
}

TEST_CASE("DP2: bad UTF-8, NUL and a lone surrogate are bad lines") {
  const std::vector<std::string> lines = {"{\"a\":\"\x80\"}",
                                          "{\"a\":\"\xc0\xaf\"}",
                                          "{\"a\":\"\xed\xa0\x80\"}",
                                          "{\"a\":\"\xf4\x90\x80\x80\"}",
                                          std::string("{\"a\":\"\0\"}", 9),
                                          "{\"a\":\"\\u0000\"}",
                                          "{\"a\":\"\\ud800\"}"};
  for (const std::string& line : lines) {
    const Outcome out = read_all("{\"a\":1}\n" + line + "\n{\"a\":3}\n");
    CHECK((out.code == "utf8" || out.code == "json"));
    CHECK(out.where.line == 2);
    const Outcome lenient = read_all("{\"a\":1}\n" + line + "\n{\"a\":3}\n", {.max_bad = 1});
    CHECK(lenient.lines == Lines{1, 3});
    REQUIRE(lenient.bad.size() == 1);
    CHECK(lenient.bad[0].line == 2);
  }
  const Outcome at = read_all("{\"a\":1}\n{\"a\":\"\x80\"}\n");
  CHECK(at.code == "utf8");
  CHECK(at.where.offset == 14);  // of the file
}

TEST_CASE("NUL inside a string is read where it is allowed") {
  const TemporaryFolder folder;
  JsonlReader reader(folder.file("f.jsonl", "{\"a\":\"x\\u0000\"}\n"), {.allow_nul = true});
  CHECK(reader.next()->value["a"] == std::string("x\0", 2));
}

TEST_CASE("DP2: with the policy 'replace' bad UTF-8 is replaced and counted") {
  const TemporaryFolder folder;
  JsonlReader reader(folder.file("f.jsonl", "{\"a\":\"x\x80\xffy\"}\n{\"a\":\"\xe4\xb8\xad\"}\n"),
                     {.bad_utf8 = BadUtf8::replace});
  CHECK(reader.next()->value["a"] == "x\xef\xbf\xbd\xef\xbf\xbdy");
  CHECK(reader.next()->value["a"] == "\xe4\xb8\xad");
  CHECK_FALSE(reader.next());
  CHECK(reader.replaced_utf8() == 2);
}

TEST_CASE("DP3: a line over the limit is passed over without being stored") {
  const std::string longer = "{\"a\":\"" + std::string(3 << 20, 'x') + "\"}";
  const JsonlOptions options{.max_bad = 1, .max_line_bytes = 1 << 20};
  const Outcome out = read_all("{\"a\":1}\n" + longer + "\n{\"a\":3}", options);
  CHECK(out.lines == Lines{1, 3});
  REQUIRE(out.bad.size() == 1);
  CHECK(out.bad[0].code == "line_too_long");
  CHECK(read_all(longer, {.max_line_bytes = 1 << 20}).code == "line_too_long");
  CHECK(read_all(longer + "\n" + longer).lines == Lines{1, 2});  // across parts of the file
}

TEST_CASE("DP3: nesting over 64 and a line that is no object are bad lines") {
  const std::string deep = "{\"a\":" + std::string(64, '[') + std::string(64, ']') + "}";
  CHECK(read_all("{\"a\":1}\n" + deep).code == "json");
  CHECK(read_all("{\"a\":1}\n[1]\n").code == "not_object");
  CHECK(read_all("{\"a\":1}\n3\n\"x\"\n{}", {.max_bad = 2}).lines == Lines{1, 4});
  CHECK(read_all("{\"a\":1,\"a\":2}\n").code == "duplicate");
}

TEST_CASE("DP3: a file that is JSON gets the hint that it is not JSONL") {
  const Outcome array = read_all("[{\"a\":1},\n{\"a\":2}]\n", {.max_bad = 1000});
  CHECK(array.code == "json_array");
  CHECK(array.message.find("looks like JSON, not JSONL") != std::string::npos);
  CHECK(read_all("\n[{\"a\":1}]").code == "json_array");
  CHECK(read_all("{\n  \"a\": 1\n}\n").code == "json_document");
}

TEST_CASE("DP12: the reader passes on the clear messages of the file") {
  const TemporaryFolder folder;
  const auto open = [](const std::filesystem::path& path) {
    return test::code_of([&] { JsonlReader reader(path); });
  };
  CHECK(open(folder / "none.jsonl") == "missing");
  CHECK(open(folder.path()) == "folder");
  CHECK(open(folder.file("a.jsonl.gz", "\x1f\x8b\x08")) == "compressed");
}

TEST_CASE("The caller's own bad lines count against the same limit") {
  const TemporaryFolder folder;
  JsonlReader reader(folder.file("f.jsonl", "{}\n{}\nx\n{}\n"), {.max_bad = 2});
  const auto first = reader.next();
  reader.reject(first->line, "missing_field", "id", "the record has no id");
  CHECK(reader.next()->line == 2);
  CHECK(reader.next()->line == 4);  // line 3 was the second bad one
  CHECK(reader.bad_lines().size() == 2);
  try {
    reader.reject(4, "missing_field", "id", "the record has no id");
    FAIL("accepted");
  } catch (const DataError& error) {
    CHECK(error.where().line == 4);
    CHECK(error.where().field == "id");
  }
}
