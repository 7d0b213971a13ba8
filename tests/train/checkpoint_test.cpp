#include "solopo/train/checkpoint.hpp"

#include <algorithm>
#include <fstream>
#include <limits>

#include "catch.hpp"
#include "solopo/train/restore_checkpoint.hpp"
#include "tiny_run.hpp"

using namespace solopo;
using namespace solopo::test;
namespace fs = std::filesystem;

namespace {

// A run's folder with checkpoints 1 to 3, all kept.
struct ThreeCheckpoints {
  TemporaryFolder folder;
  TinyRun run{.objective = "solopo:dpo", .max_steps = 3};
  TinyOutcome outcome;

  ThreeCheckpoints() {
    run.options.folder = folder.path();
    run.options.save_every = 1;
    run.options.keep_last = 3;
    Recorder recorder;
    outcome = train_tiny(run, recorder);
    REQUIRE(list_checkpoints(folder.path()) == std::vector<std::int64_t>{1, 2, 3});
    run.options.resume = true;
  }
  [[nodiscard]] fs::path at(int step) const { return folder.path() / ("checkpoint-" + std::to_string(step)); }

  // Resumes: the step it went on from, and the warnings; the result must be that of the whole run.
  std::pair<std::int64_t, std::vector<std::string>> resume() {
    Recorder recorder;
    CHECK(train_tiny(run, recorder).weights == outcome.weights);
    return {3 - static_cast<std::int64_t>(recorder.steps.size()), recorder.warnings};
  }
};

void flip_byte(const fs::path& path, std::uint64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(byte ^ 0x10));
}

std::string code_of(const fs::path& folder) {
  try {
    static_cast<void>(read_manifest(folder));
  } catch (const ModelError& error) {
    return error.code();
  }
  return "";
}

}  // namespace

TEST_CASE("A checkpoint gives back weights, optimiser and state bit for bit") {
  TemporaryFolder folder;
  LlamaWeights<float> weights = tiny_weights(), other = tiny_weights(2);
  AdamW optimizer(weights.layout.slots(), weights.data.size()),
      second(weights.layout.slots(), weights.data.size());
  for (std::size_t i = 0; i < optimizer.first().size(); ++i) {
    optimizer.first()[i] = static_cast<float>(i) * 0.25f;
    optimizer.second()[i] = static_cast<float>(i) * 0.5f;
  }
  const TrainState state{.step = 12,
                         .num_tokens = 99,
                         .seconds = 1.0 / 3,
                         .best_step = 8,
                         .best_loss = 0.1,
                         .watch = {.steps = 3,
                                   .gap = 0.1,
                                   .short_side = -0.2,
                                   .widest_gap = 0.3,
                                   .short_at_widest = 0.7,
                                   .warned = true},
                         .objective = {{"delta", 0.1}, {"count", 1.0 / 3}}};
  write_checkpoint(folder.path(), state, {{"beta", "0.1"}}, parameters_of(weights), optimizer);
  const auto found = newest_checkpoint(folder.path());
  REQUIRE(found.has_value());
  CHECK(found->identity == RunIdentity{{"beta", "0.1"}});
  CHECK(found->state.step == 12);
  CHECK(found->state.num_tokens == 99);
  CHECK(found->state.seconds == 1.0 / 3);
  CHECK(found->state.best_step == 8);
  CHECK(found->state.best_loss == 0.1);
  CHECK(found->state.watch.short_at_widest == 0.7);
  CHECK(found->state.watch.warned);
  const NamedState numbers(found->state.objective.begin(), found->state.objective.end());
  CHECK(std::find(numbers.begin(), numbers.end(), std::pair<std::string, double>{"delta", 0.1}) !=
        numbers.end());
  CHECK(std::find(numbers.begin(), numbers.end(), std::pair<std::string, double>{"count", 1.0 / 3}) !=
        numbers.end());
  restore_checkpoint(*found, parameters_of(other), second);
  CHECK(other.data == weights.data);
  CHECK(std::equal(second.first().begin(), second.first().end(), optimizer.first().begin()));
  CHECK(std::equal(second.second().begin(), second.second().end(), optimizer.second().begin()));
  CHECK(second.steps() == 12);
}

TEST_CASE("A damaged newest checkpoint is passed over with a warning, and the run still ends the same") {
  ThreeCheckpoints c;
  SECTION("a byte of the weights flipped") {
    flip_byte(c.at(3) / "model.safetensors", fs::file_size(c.at(3) / "model.safetensors") - 5);
    CHECK(code_of(c.at(3)) == "checkpoint_sha256");
  }
  SECTION("the optimiser's file is missing") {
    fs::remove(c.at(3) / "optimizer.safetensors");
    CHECK(code_of(c.at(3)) == "checkpoint_missing");
  }
  SECTION("a file cut short") {
    fs::resize_file(c.at(3) / "optimizer.safetensors", 100);
    CHECK(code_of(c.at(3)) == "checkpoint_size");
  }
  SECTION("the manifest cut") {
    fs::resize_file(c.at(3) / "trainer_state.json", 200);
    CHECK(code_of(c.at(3)) == "checkpoint_manifest");
  }
  SECTION("a byte of the manifest's numbers changed") {
    std::ifstream in(c.at(3) / "trainer_state.json");
    std::string text((std::istreambuf_iterator<char>(in)), {});
    const std::size_t at = text.find("\"num_tokens\": ") + 14;
    text[at] = text[at] == '1' ? '2' : '1';
    std::ofstream(c.at(3) / "trainer_state.json") << text;
    CHECK(code_of(c.at(3)) == "checkpoint_manifest");
  }
  SECTION("the manifest missing") {
    fs::remove(c.at(3) / "trainer_state.json");
    CHECK(code_of(c.at(3)) == "checkpoint_manifest");
  }
  SECTION("an empty folder of that name") {
    fs::remove_all(c.at(3));
    fs::create_directory(c.at(3));
    CHECK(code_of(c.at(3)) == "checkpoint_manifest");
  }
  SECTION("the manifest of another step") {
    fs::remove(c.at(3) / "trainer_state.json");
    fs::copy_file(c.at(2) / "trainer_state.json", c.at(3) / "trainer_state.json");
    CHECK(code_of(c.at(3)) == "checkpoint_sha256");
  }
  SECTION("a whole older checkpoint under a newer name") {
    fs::remove_all(c.at(3));
    fs::copy(c.at(2), c.at(3));
  }
  const auto [from, warnings] = c.resume();
  CHECK(from == 2);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("checkpoint-3") != std::string::npos);
  CHECK(code_of(c.at(3)).empty());  // written again
}

TEST_CASE("Two damaged checkpoints are passed over; when all are damaged the run is refused") {
  ThreeCheckpoints c;
  fs::remove(c.at(3) / "model.safetensors");
  fs::remove(c.at(2) / "model.safetensors");
  SECTION("one is left") { CHECK(c.resume().first == 1); }
  SECTION("none is left") {
    fs::remove(c.at(1) / "model.safetensors");
    Recorder recorder;
    CHECK_THROWS_WITH(train_tiny(c.run, recorder), Catch::Contains("checkpoint_none"));
    CHECK(recorder.warnings.size() == 3);
  }
}

TEST_CASE("A folder of checkpoints that cannot be read is an error, and one that is not there has none") {
  TemporaryFolder folder;
  CHECK(list_checkpoints(folder.path() / "none").empty());
  const fs::path turns = folder.path() / "turns";
  fs::create_symlink("turns", turns);
  CHECK_THROWS_AS(list_checkpoints(turns), IoError);
}

TEST_CASE("What a killed save left behind is ignored by resume and removed by the next save") {
  ThreeCheckpoints c;
  const fs::path left = c.folder.path() / ".checkpoint-9.tmp";
  fs::create_directory(left);
  std::ofstream(left / "model.safetensors") << "half";
  fs::create_directory(c.folder.path() / "checkpoint-x");
  std::ofstream(c.folder.path() / "checkpoint-") << "";
  CHECK(list_checkpoints(c.folder.path()) == std::vector<std::int64_t>{1, 2, 3});
  fs::remove_all(c.at(3));
  CHECK(c.resume().first == 2);
  CHECK_FALSE(fs::exists(left));
}

TEST_CASE("A manifest that names a file outside its folder is refused") {
  ThreeCheckpoints c;
  io::Json manifest = io::parse_json_file(c.at(3) / "trainer_state.json", io::FileRole::model);
  manifest["files"][0]["name"] = "../checkpoint-2/model.safetensors";
  manifest["sha256"] = checkpoint_detail::manifest_digest(manifest);
  io::write_file(c.at(3) / "trainer_state.json", io::dump_json(manifest));
  CHECK(code_of(c.at(3)) == "checkpoint_manifest");
}

TEST_CASE("Weights that are not finite are not saved") {
  TemporaryFolder folder;
  LlamaWeights<float> weights = tiny_weights();
  weights.tensor("model.norm.weight")[0] = std::numeric_limits<float>::infinity();
  const AdamW optimizer(weights.layout.slots(), weights.data.size());
  CHECK_THROWS_WITH(write_checkpoint(folder.path(), {.step = 3}, {}, parameters_of(weights), optimizer),
                    Catch::Contains("model.norm.weight"));
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("A checkpoint of another model shape is refused and changes nothing") {
  TemporaryFolder folder;
  LlamaWeights<float> weights = tiny_weights();
  const AdamW optimizer(weights.layout.slots(), weights.data.size());
  write_checkpoint(folder.path(), {.step = 1}, {}, parameters_of(weights), optimizer);
  LlamaConfig wider = tiny_config(true);
  wider.intermediate_size = 48;
  LlamaWeights<float> other = random_weights<float>(wider);
  const auto before = other.data;
  AdamW state(other.layout.slots(), other.data.size());
  CHECK_THROWS_WITH(restore_checkpoint(*newest_checkpoint(folder.path()), parameters_of(other), state),
                    Catch::Contains("checkpoint_tensor"));
  CHECK(other.data == before);
}

TEST_CASE("A model writer's files are part of the checkpoint") {
  TemporaryFolder folder;
  LlamaWeights<float> weights = tiny_weights();
  const AdamW optimizer(weights.layout.slots(), weights.data.size());
  const auto at = write_checkpoint(
      folder.path(), {.step = 1}, {}, parameters_of(weights), optimizer, [&](const fs::path& into) {
        checkpoint_detail::write_weights(into / "model.safetensors", parameters_of(weights));
        io::write_file(into / "config.json", "{}");
      });
  CHECK(code_of(at).empty());
  flip_byte(at / "config.json", 0);
  CHECK(code_of(at) == "checkpoint_sha256");
}
