// What a checkpoint's manifest holds besides the list of files: where the run stands, and which run it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/sha256.hpp"
#include "solopo/train/closing_watch.hpp"
#include "solopo/train/run_identity.hpp"

namespace solopo {

// Where a run stands after `step` steps, besides weights and optimiser.
struct TrainState {
  std::int64_t step = 0;
  std::uint64_t num_tokens = 0;  // rows that went through the policy
  double seconds = 0;            // spent training
  std::int64_t best_step = -1;   // of the lowest evaluation loss, -1: none yet
  double best_loss = 0;
  ClosingWatch::State watch{};
  std::vector<std::pair<std::string, double>> objective{};  // what it carries from batch to batch, by name
};

struct Checkpoint {
  std::filesystem::path folder;
  TrainState state;
  RunIdentity identity;
};

namespace checkpoint_detail {

inline constexpr const char* manifest_name = "trainer_state.json";
inline constexpr const char* reference_name = "reference.safetensors";
inline constexpr const char* optimizer_name = "optimizer.safetensors";

[[noreturn]] inline void refuse(const std::filesystem::path& file, const char* code,
                                const std::string& reason) {
  throw ModelError(code, {.file = file.string(), .field = {}}, reason);
}

inline io::Json state_json(const TrainState& s) {
  io::Json objective = io::Json::object();
  for (const auto& [name, value] : s.objective) objective[name] = value;
  return {{"step", s.step},
          {"num_tokens", s.num_tokens},
          {"seconds", s.seconds},
          {"best_step", s.best_step},
          {"best_loss", s.best_loss},
          {"objective", objective},
          {"watch",
           {{"steps", s.watch.steps},
            {"gap", s.watch.gap},
            {"short_side", s.watch.short_side},
            {"widest_gap", s.watch.widest_gap},
            {"short_at_widest", s.watch.short_at_widest},
            {"warned", s.watch.warned}}}};
}

inline TrainState state_from(const io::Json& j) {
  const io::Json& w = j.at("watch");
  std::vector<std::pair<std::string, double>> objective;
  for (const auto& [name, value] : j.at("objective").items())
    objective.emplace_back(name, value.get<double>());
  return {.step = j.at("step").get<std::int64_t>(),
          .num_tokens = j.at("num_tokens").get<std::uint64_t>(),
          .seconds = j.at("seconds").get<double>(),
          .best_step = j.at("best_step").get<std::int64_t>(),
          .best_loss = j.at("best_loss").get<double>(),
          .watch = {.steps = w.at("steps").get<double>(),
                    .gap = w.at("gap").get<double>(),
                    .short_side = w.at("short_side").get<double>(),
                    .widest_gap = w.at("widest_gap").get<double>(),
                    .short_at_widest = w.at("short_at_widest").get<double>(),
                    .warned = w.at("warned").get<bool>()},
          .objective = std::move(objective)};
}

// The manifest's own checksum covers all its other members.
inline std::string manifest_digest(io::Json manifest) {
  manifest.erase("sha256");
  return io::sha256_hex(io::dump_json(manifest));
}

}  // namespace checkpoint_detail

}  // namespace solopo
