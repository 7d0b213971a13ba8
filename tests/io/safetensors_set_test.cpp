#include "solopo/io/safetensors_set.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "solopo/io/safetensors_writer.hpp"
#include "test_files.hpp"

using namespace solopo;
using namespace solopo::io;
using test::code_of;
using test::TemporaryFolder;

namespace {

void write(const std::filesystem::path& path, std::vector<std::pair<std::string, float>> tensors) {
  std::vector<TensorToWrite> list;
  for (const auto& [name, value] : tensors) list.push_back({name, Dtype::F32, {1}, &value});
  write_safetensors(path, list);
}
constexpr const char* index_name = "model.safetensors.index.json";

}  // namespace

TEST_CASE("A folder with one file and a folder of shards read alike") {
  const TemporaryFolder one, two;
  write(one / "model.safetensors", {{"a", 1.0f}, {"b", 2.0f}});
  write(two / "x.safetensors", {{"a", 1.0f}});
  write(two / "y.safetensors", {{"b", 2.0f}});
  static_cast<void>(two.file(index_name, R"({"metadata":{"total_size":8},)"
                                         R"("weight_map":{"a":"x.safetensors","b":"y.safetensors"}})"));
  for (const auto& path : {one.path(), two.path(), one / "model.safetensors"}) {
    const SafetensorsSet set(path);
    CHECK(set.tensors().size() == 2);
    std::vector<float> out(1);
    set.read_f32("b", out);
    CHECK(out[0] == 2.0f);
    set.read_f32("a", out);
    CHECK(out[0] == 1.0f);
    CHECK(set.find("c") == nullptr);
    CHECK(code_of([&] { set.read_f32("c", out); }) == "missing_tensor");
  }
}

TEST_CASE("A folder without weights says what it should have") {
  const TemporaryFolder folder;
  CHECK(code_of([&] { SafetensorsSet set(folder.path()); }) == "missing");
  CHECK(code_of([&] { SafetensorsSet set(folder / "none"); }) == "missing");
}

TEST_CASE("ST24: a missing shard, a tensor in two shards or not in its own, are refused by file and tensor") {
  const auto open = [](const char* weight_map, std::string* message = nullptr) {
    const TemporaryFolder folder;
    write(folder / "x.safetensors", {{"a", 1.0f}, {"b", 2.0f}});
    write(folder / "y.safetensors", {{"b", 2.0f}, {"c", 3.0f}});
    write(folder / "z.safetensors", {{"c", 3.0f}});
    static_cast<void>(folder.file(index_name, "{\"weight_map\":" + std::string(weight_map) + "}"));
    try {
      SafetensorsSet set(folder.path());
    } catch (const ModelError& error) {
      if (message) *message = error.what();
      return error.code();
    }
    return std::string("none");
  };
  std::string message;
  CHECK(open(R"({"a":"x.safetensors","b":"x.safetensors","c":"z.safetensors"})") == "none");
  CHECK(open(R"({"a":"x.safetensors","b":"x.safetensors","q":"none.safetensors"})", &message) ==
        "missing_shard");
  CHECK(message.find("none.safetensors") != std::string::npos);
  CHECK(message.find("'q'") != std::string::npos);
  CHECK(open(R"({"a":"x.safetensors","b":"x.safetensors","c":"y.safetensors"})", &message) == "duplicate");
  CHECK(message.find("'b'") != std::string::npos);
  CHECK(open(R"({"a":"z.safetensors","c":"z.safetensors"})", &message) == "shard_tensor");
  CHECK(message.find("z.safetensors") != std::string::npos);
  CHECK(message.find("'a'") != std::string::npos);
  CHECK(open(R"({"a":"x.safetensors"})") == "shard_tensor");  // b is there but not listed
  for (const char* bad : {"{}", "[]", "7", R"({"a":7})", R"({"a":null})"}) CHECK(open(bad) == "index");
  CHECK(open(R"({"a":"x.safetensors","a":"x.safetensors"})") == "duplicate");
  CHECK(open("{") == "json");
}

TEST_CASE("ST24: a shard's name is a file name: nothing outside the folder is read") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "model");
  std::filesystem::create_directory(folder / "model" / "sub");
  write(folder / "x.safetensors", {{"a", 1.0f}});
  write(folder / "model" / "sub" / "x.safetensors", {{"a", 1.0f}});
  const std::string absolute = (folder / "x.safetensors").string();
  for (const std::string& name : {std::string("../x.safetensors"), std::string("sub/x.safetensors"), absolute,
                                  std::string(".."), std::string(""), std::string("sub\\\\x.safetensors"),
                                  std::string("x\\u0000.safetensors"), std::string("/dev/zero")}) {
    static_cast<void>(
        folder.file("model/model.safetensors.index.json", "{\"weight_map\":{\"a\":\"" + name + "\"}}"));
    CHECK(code_of([&] { SafetensorsSet set(folder / "model"); }) == "shard_name");
  }
}
