// Made-up evaluations for the tests.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "eval_result.hpp"
#include "solopo/io/atomic_file.hpp"

// A folder that is removed at the end.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              ("solopo-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// `right` of the n questions of each length are answered correctly, the first ones.
inline solopo::cli::EvalResult made_up_eval(const std::string& model, std::int64_t n, std::int64_t right) {
  using namespace solopo::cli;
  EvalResult out{.model = model,
                 .command = "solopo eval --model " + model,
                 .settings = {{"seed", 1}, {"depths", nullptr}},
                 .machine = {{"processor", "a <fast> one"}},
                 .seconds = 1.5,
                 .peak_memory_bytes = 1e8,
                 .questions = {},
                 .lengths = {}};
  for (std::int64_t i = 0; i < n; ++i)
    out.questions.push_back({.id = "q" + std::to_string(i),
                             .question = "Who & what <b>is</b> \"it\"?",
                             .answers = {"Ada", "Ada L."}});
  for (const std::int64_t length : {0, 256, 1024}) {
    EvalLength part{.length = length, .contexts_sha256 = "digest of " + std::to_string(length), .rows = {}};
    for (std::int64_t i = 0; i < n; ++i) {
      EvalRow row{.id = "q" + std::to_string(i),
                  .length = length,
                  .tokens = length > 0 ? length - i % 7 : 40 + i,
                  .depth = std::nullopt,
                  .correct = i < right,
                  .finished = i % 3 != 0,
                  .gold_logp_per_token = (i < right ? -0.5 : -2.0) - 0.01 * static_cast<double>(i),
                  .gold_tokens = 3,
                  .answer = i < right ? "Ada" : "</td><script>alert(1)</script>"};
      if (length > 0) row.depth = static_cast<double>(i % 5) / 4;
      part.rows.push_back(row);
    }
    out.lengths.push_back(part);
  }
  return out;
}

inline void write_eval(const std::filesystem::path& path, const solopo::cli::EvalResult& eval) {
  solopo::io::write_file(path, solopo::io::dump_json(solopo::cli::to_json(eval)));
}
