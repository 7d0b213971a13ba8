#include "solopo/model/safetensors_weights.hpp"

#include <filesystem>
#include <string>

#include "catch.hpp"
#include "solopo/io/safetensors.hpp"
#include "tiny_llama.hpp"

using namespace solopo;

namespace {

struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("solopo_weights_" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("weights survive being written and read, bit for bit") {
  const Folder folder;
  const auto weights = test::random_weights<float>(test::tiny_config());
  io::write_safetensors(folder.path / "model.safetensors",
                        tensors_to_write(weights.layout, weights.data.data()));
  CHECK(read_safetensors_weights(folder.path, weights.config).data == weights.data);
}

TEST_CASE("ST25: one error lists what is missing, unexpected and of another shape") {
  const Folder folder;
  const auto weights = test::random_weights<float>(test::tiny_config());
  auto tensors = tensors_to_write(weights.layout, weights.data.data());
  tensors[0].shape = {24, 50};
  tensors[1].name = "model.layers.0.surprise";
  io::write_safetensors(folder.path / "model.safetensors", tensors);
  try {
    read_safetensors_weights(folder.path, weights.config);
    FAIL("was read");
  } catch (const ModelError& e) {
    CHECK(e.code() == "tensors");
    CHECK_THAT(e.what(), Catch::Contains("missing: model.layers.0.input_layernorm.weight"));
    CHECK_THAT(e.what(), Catch::Contains("unexpected: model.layers.0.surprise"));
    CHECK_THAT(e.what(), Catch::Contains("embed_tokens.weight is (24, 50), expected (50, 24)"));
  }
}

TEST_CASE("ST25: a head beside tied embeddings is not needed") {
  const Folder folder;
  const auto tied = test::random_weights<float>(test::tiny_config(true));
  io::write_safetensors(folder.path / "model.safetensors", tensors_to_write(tied.layout, tied.data.data()));
  CHECK(read_safetensors_weights(folder.path, tied.config).data == tied.data);
  CHECK_THROWS_WITH(read_safetensors_weights(folder.path, test::tiny_config(false)),
                    Catch::Contains("lm_head.weight"));
}
