// What a run is said to take before it begins, against what the process really took.
#include <algorithm>
#include <filesystem>
#include <regex>
#include <string>

#include "catch.hpp"
#include "cli_eval_fixture.hpp"
#include "cli_run.hpp"
#include "random_values.hpp"
#include "sanitized.hpp"
#include "solopo/io/jsonl.hpp"
#include "solopo/model/language_model.hpp"
#include "tiny_llama.hpp"

namespace {

// A model of 20 layers and 16M weights with the tiny model's tokenizer, and a record of `words` words in its
// long prompt: large enough that the program itself, and what the allocator keeps, are a small part.
std::string write_job(const std::filesystem::path& folder, int words) {
  solopo::LanguageModel model = solopo::load_model(SOLOPO_SOURCE_DIR "/examples/data/tiny");
  model.config.hidden_size = 256;
  model.config.intermediate_size = 768;
  model.config.num_hidden_layers = 20;
  model.config.num_attention_heads = 4;
  model.config.num_key_value_heads = 2;
  model.config.head_dim = 64;
  model.config.max_position_embeddings = 8192;
  model.weights = solopo::test::random_weights<float>(model.config);
  solopo::save_model(folder / "model", model);
  std::string text;
  for (int i = 0; i < words; ++i) text += "also ";
  solopo::io::JsonlWriter out(folder / "pairs.jsonl");
  out.write({{"id", "a"},
             {"prompt_short", text.substr(0, text.size() / 8)},
             {"prompt_long", text},
             {"chosen", "yes"},
             {"rejected", "no"},
             {"sampled_from", "short"}});
  out.commit();
  return "train --model " + (folder / "model").string() + " --data " + (folder / "pairs.jsonl").string() +
         " --template plain --objective solopo:simpo --max-steps 1 --batch-size 1 --out " +
         (folder / "run").string();
}

double bytes_of(const std::string& value, const std::string& unit) {
  return std::stod(value) * (unit == "GiB" ? 1024.0 : 1.0) * 1024 * 1024;
}

}  // namespace

TEST_CASE("A run takes what the dry run said: at most 1.15 of it, and not much less") {
  if (SOLOPO_TEST_SANITIZED) {
    WARN("not measured: AddressSanitizer keeps memory that the program gave back");
    return;
  }
  for (const char* options : {"", " --recompute", " --passes two-pass", " --long-gradient response"}) {
    CAPTURE(options);
    const ScratchFolder folder("memory");
    const std::string command = write_job(folder / "", 900) + options;
    const Outcome dry = solopo_run(command + " --dry-run");
    CAPTURE(dry.text);
    REQUIRE(dry.code == 0);
    std::smatch said;
    REQUIRE(std::regex_search(dry.text, said, std::regex("# memory: ([0-9.]+) (MiB|GiB) = ")));
    const double expected = bytes_of(said[1], said[2]);

    const Outcome run = solopo_run(command);
    CAPTURE(run.text);
    REQUIRE(run.code == 0);
    double peak = 0;  // the process's high-water mark, in its own log
    solopo::io::JsonlReader log(folder / "run/metrics.jsonl");
    while (const auto line = log.next())
      peak = std::max(peak, line->value.at("peak_memory_bytes").get<double>());
    CHECK(peak <= 1.15 * expected);
    CHECK(peak >= 0.75 * expected);
  }
}
