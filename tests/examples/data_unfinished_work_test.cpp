#include "unfinished_work.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "data_fixture.hpp"

using namespace data_fixture;

namespace {

// The pieces of the work that was done under `key`; adds `piece` unless it is null.
std::vector<Json> go_on(const Folder& folder, const std::string& key, const Json& piece = nullptr) {
  std::vector<Json> out;
  UnfinishedWork work(folder / "out", "test", key, [&](const Json& done) { out.push_back(done); });
  if (!piece.is_null()) work.add(piece);
  return out;
}

}  // namespace

TEST_CASE("Unfinished work goes on under its own key, whatever characters an answer has") {
  const Folder folder;
  const Json piece = {{"answer", std::string("a\0b", 3)}};
  CHECK(go_on(folder, "k", piece).empty());
  CHECK(go_on(folder, "k", {{"answer", "c"}}) == std::vector<Json>{piece});
  CHECK(go_on(folder, "k") == std::vector<Json>{piece, {{"answer", "c"}}});
  CHECK_THROWS_AS(go_on(folder, "other"), UsageError);
}

TEST_CASE("Work of which no piece is done stands in nobody's way") {
  const Folder folder;
  CHECK(go_on(folder, "first").empty());
  CHECK(go_on(folder, "second", {{"n", 1}}).empty());
  CHECK(go_on(folder, "second") == std::vector<Json>{{{"n", 1}}});
  CHECK(lines_of(folder / "out.partial").size() == 2);
  CHECK_THROWS_AS(go_on(folder, "first"), UsageError);
}

TEST_CASE("A file that is no unfinished work is left as it is") {
  const Folder folder;
  folder.write("out.partial", "{\"n\": 1}\n");
  CHECK_THROWS_AS(go_on(folder, "k"), UsageError);
  CHECK(content_of(folder / "out.partial") == "{\"n\": 1}\n");
}
