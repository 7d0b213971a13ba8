#include "solopo/io/safetensors_writer.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "solopo/io/safetensors_file.hpp"
#include "test_files.hpp"

using namespace solopo;
using namespace solopo::io;
using test::bytes_of;
using test::TemporaryFolder;

namespace {
const std::filesystem::path golden =
    std::filesystem::path(SOLOPO_SOURCE_DIR) / "tests/golden/io/small.safetensors";
}

TEST_CASE("ST26: our writer gives the bytes of the reference writer, in whatever order the tensors come") {
  const SafetensorsFile reference(golden);
  std::vector<std::vector<std::byte>> data;
  std::vector<TensorToWrite> tensors;
  for (const SafetensorsTensor& tensor : reference.tensors()) {
    data.emplace_back(tensor.end - tensor.begin);
    reference.read_bytes(tensor.name, data.back());
    tensors.push_back({tensor.name, tensor.dtype, tensor.shape, data.back().data()});
  }
  REQUIRE(tensors.size() == 22);
  const TemporaryFolder folder;
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name > b.name; });
  const WrittenFile written = write_safetensors(folder / "m.safetensors", tensors, reference.metadata());
  CHECK(bytes_of(folder / "m.safetensors") == bytes_of(golden));
  CHECK(written.bytes == bytes_of(golden).size());
  std::rotate(tensors.begin(), tensors.begin() + 7, tensors.end());
  write_safetensors(folder / "m.safetensors", tensors, reference.metadata());
  CHECK(bytes_of(folder / "m.safetensors") == bytes_of(golden));
}

TEST_CASE("The reference writer's file reads with the values that went in") {
  const SafetensorsFile file(golden);
  CHECK(file.metadata().at("format") == "pt");
  const auto read = [&](const char* name) {
    std::vector<float> out(file.find(name)->elements());
    file.read_f32(name, out);
    return out;
  };
  CHECK(file.find("weight")->shape == std::vector<std::uint64_t>{2, 3});
  CHECK(read("weight") == std::vector<float>{1.0f, -2.5f, 3.25f, 0.0f, 1e-40f, 65504.0f});
  CHECK(read("a.weight") == std::vector<float>{1.0f, -2.5f, 0.15625f, 3.0f});
  CHECK(read("b.weight") == std::vector<float>{1.0f, -2.5f, 3.0f});
  CHECK(read("scalar") == std::vector<float>{0.5f});
  CHECK(read("empty").empty());
}

TEST_CASE("ST26: saving over the file that is being read keeps the data") {
  const TemporaryFolder folder;
  const auto path = folder / "m.safetensors";
  const std::vector<float> first{1, 2, 3}, second{4, 5};
  write_safetensors(path, std::vector<TensorToWrite>{{"a", Dtype::F32, {3}, first.data()}});
  const SafetensorsFile old(path);
  write_safetensors(path, std::vector<TensorToWrite>{{"a", Dtype::F32, {2}, second.data()}});
  std::vector<float> out(3);
  old.read_f32("a", out);
  CHECK(out == first);
  out.resize(2);
  SafetensorsFile(path).read_f32("a", out);
  CHECK(out == second);
}

TEST_CASE("The header begins with an object and is padded with spaces to a multiple of 8") {
  const TemporaryFolder folder;
  const float value = 1;
  for (const char* name : {"", "a", "ab", "abc", "abcd", "abcdefgh"}) {
    write_safetensors(folder / "m", std::vector<TensorToWrite>{{name, Dtype::F32, {}, &value}});
    const std::string bytes = bytes_of(folder / "m");
    CHECK(bytes[8] == '{');
    CHECK((bytes.size() - 4) % 8 == 0);
    CHECK_NOTHROW(SafetensorsFile(folder / "m"));
  }
  write_safetensors(folder / "m", {});
  CHECK(SafetensorsFile(folder / "m").tensors().empty());
}

TEST_CASE("The writer refuses what the reader refuses, and leaves no file") {
  const TemporaryFolder folder;
  const float value = 1;
  const auto refused = [&](std::vector<TensorToWrite> tensors) {
    CHECK_THROWS_AS(write_safetensors(folder / "m", tensors), ArgumentError);
    CHECK(folder.entries() == 0);
  };
  refused({{"a", Dtype::F32, {}, &value}, {"a", Dtype::F16, {}, &value}});
  refused({{"__metadata__", Dtype::F32, {}, &value}});
  refused({{"\xff", Dtype::F32, {}, &value}});
  refused({{"a", Dtype::F4, {3}, &value}});
  refused({{"a", Dtype::F32, {std::uint64_t{1} << 63, 4, 0}, &value}});
  refused({{"a", Dtype::F32, {1}, nullptr}});
  refused({{"a", Dtype::F32, std::vector<std::uint64_t>(65, 1), &value}});
  CHECK_THROWS_AS(write_safetensors(folder / "m", {}, {{"k", "\xff"}}), ArgumentError);
}
