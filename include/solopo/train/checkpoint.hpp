// A run's state on disk: folders checkpoint-<step>/ that each hold a model folder, the optimiser's state and
// a manifest with size and SHA-256 of every file. A folder gets its name only when all of it is durable.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/atomic_file.hpp"
#include "solopo/io/input_file.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/safetensors.hpp"
#include "solopo/train/closing_watch.hpp"
#include "solopo/train/optimizer.hpp"
#include "solopo/train/parameters.hpp"
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
};

struct Checkpoint {
  std::filesystem::path folder;
  TrainState state;
  RunIdentity identity;
};

// Writes the model's files (weights, configuration, tokenizer) into a folder.
using ModelWriter = std::function<void(const std::filesystem::path&)>;

namespace checkpoint_detail {

inline constexpr const char* manifest_name = "trainer_state.json";
inline constexpr const char* weights_name = "model.safetensors";
inline constexpr const char* optimizer_name = "optimizer.safetensors";

inline std::filesystem::path folder_of(const std::filesystem::path& run, std::int64_t step) {
  return run / ("checkpoint-" + std::to_string(step));
}

inline void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) io::throw_io_error("open", folder.string(), errno);
  const int failed = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  if (failed != 0) io::throw_io_error("sync", folder.string(), error);
}

inline void move(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) io::throw_io_error("rename", from.string(), errno);
}

// Takes a folder's name away before its content, so that no half of it keeps the name of a whole one.
inline void remove_folder(const std::filesystem::path& folder) {
  const std::filesystem::path hidden =
      folder.parent_path() / ("." + folder.filename().string() + ".removed.tmp");
  std::error_code ignored;
  std::filesystem::remove_all(hidden, ignored);
  move(folder, hidden);
  std::filesystem::remove_all(hidden, ignored);
}

// What a run that was killed while saving or pruning left behind.
inline void remove_leftovers(const std::filesystem::path& run) {
  std::error_code ignored;
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(run, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".checkpoint-") && name.ends_with(".tmp")) found.push_back(entry.path());
  }
  for (const auto& path : found) std::filesystem::remove_all(path, ignored);
}

}  // namespace checkpoint_detail

// Steps of the folders named checkpoint-<step>, ascending; complete or not.
[[nodiscard]] inline std::vector<std::int64_t> list_checkpoints(const std::filesystem::path& run) {
  std::vector<std::int64_t> steps;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(run, error)) {
    const std::string name = entry.path().filename().string();
    constexpr std::string_view prefix = "checkpoint-";
    if (!name.starts_with(prefix) || name.size() == prefix.size() || name.size() > prefix.size() + 15)
      continue;
    const std::string digits = name.substr(prefix.size());
    if (digits.find_first_not_of("0123456789") != std::string::npos) continue;
    if (digits.size() > 1 && digits.front() == '0') continue;
    steps.push_back(std::stoll(digits));
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

namespace checkpoint_detail {

[[noreturn]] inline void refuse(const std::filesystem::path& file, const char* code,
                                const std::string& reason) {
  throw ModelError(code, {.file = file.string(), .field = {}}, reason);
}

inline io::Json state_json(const TrainState& s) {
  return {{"step", s.step},
          {"num_tokens", s.num_tokens},
          {"seconds", s.seconds},
          {"best_step", s.best_step},
          {"best_loss", s.best_loss},
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
                    .warned = w.at("warned").get<bool>()}};
}

// The manifest's own checksum covers all its other members.
inline std::string manifest_digest(io::Json manifest) {
  manifest.erase("sha256");
  return io::sha256_hex(io::dump_json(manifest));
}

inline void write_weights(const std::filesystem::path& folder, const Parameters& parameters) {
  std::vector<io::TensorToWrite> tensors;
  for (const TensorSlot& slot : parameters.slots) {
    tensors.push_back({.name = slot.name,
                       .dtype = io::Dtype::F32,
                       .shape = {slot.shape.begin(), slot.shape.end()},
                       .data = parameters.values.data() + slot.offset});
  }
  io::write_safetensors(folder / weights_name, tensors, {{"format", "pt"}});
}

inline void write_optimizer(const std::filesystem::path& folder, const AdamW& optimizer) {
  const std::size_t n = optimizer.first().size();
  const std::vector<io::TensorToWrite> tensors = {
      {.name = "exp_avg", .dtype = io::Dtype::F32, .shape = {n}, .data = optimizer.first().data()},
      {.name = "exp_avg_sq", .dtype = io::Dtype::F32, .shape = {n}, .data = optimizer.second().data()}};
  io::write_safetensors(folder / optimizer_name, tensors, {});
}

inline io::Json file_list(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  io::Json files = io::Json::array();
  for (const std::string& name : names) {
    files.push_back({{"name", name},
                     {"bytes", std::filesystem::file_size(folder / name)},
                     {"sha256", io::sha256_file(folder / name, io::FileRole::model)}});
  }
  return files;
}

}  // namespace checkpoint_detail

// Writes checkpoint-<step> into the folder `run` and returns it: everything into a hidden folder, each file
// synced, the manifest last, then the folder synced and renamed. An older folder of that name is replaced.
// Throws IoError, and then leaves what was there before. Throws NonFiniteError for weights that are not
// finite.
inline std::filesystem::path write_checkpoint(const std::filesystem::path& run, const TrainState& state,
                                              const RunIdentity& identity, const Parameters& parameters,
                                              const AdamW& optimizer, const ModelWriter& write_model = {}) {
  namespace fs = std::filesystem;
  namespace detail = checkpoint_detail;
  if (const std::string bad = first_non_finite(parameters.values, parameters.slots); !bad.empty()) {
    throw NonFiniteError("step " + std::to_string(state.step) + ": tensor '" + bad +
                         "' holds a value that is not finite; no checkpoint was written");
  }
  detail::remove_leftovers(run);
  const fs::path target = detail::folder_of(run, state.step);
  const fs::path temporary = run / ("." + target.filename().string() + ".tmp");
  const fs::path aside = run / ("." + target.filename().string() + ".old.tmp");
  bool moved_aside = false;
  try {
    fs::create_directory(temporary);
    if (write_model) {
      write_model(temporary);
    } else {
      detail::write_weights(temporary, parameters);
    }
    detail::write_optimizer(temporary, optimizer);
    io::Json manifest = {{"format", "solopo checkpoint"},
                         {"version", 1},
                         {"state", detail::state_json(state)},
                         {"identity", io::Json::array()},
                         {"files", detail::file_list(temporary)}};
    for (const auto& [key, value] : identity) manifest["identity"].push_back({key, value});
    manifest["sha256"] = detail::manifest_digest(manifest);
    io::write_file(temporary / detail::manifest_name, io::dump_json(manifest, 1) + "\n");
    detail::sync_folder(temporary);
    if (fs::exists(target)) {
      detail::move(target, aside);
      moved_aside = true;
    }
    detail::move(temporary, target);
    moved_aside = false;
    detail::sync_folder(run);
  } catch (const fs::filesystem_error& error) {
    std::error_code ignored;
    if (moved_aside) fs::rename(aside, target, ignored);
    fs::remove_all(temporary, ignored);
    throw IoError("write", target.string(), error.code().value(), error.code().message());
  } catch (...) {
    std::error_code ignored;
    if (moved_aside) fs::rename(aside, target, ignored);
    fs::remove_all(temporary, ignored);
    throw;
  }
  std::error_code ignored;
  fs::remove_all(aside, ignored);
  return target;
}

// Reads the manifest and checks size and SHA-256 of every file it names. Throws ModelError with a code that
// begins with "checkpoint_": manifest, missing, size, sha256.
[[nodiscard]] inline Checkpoint read_manifest(const std::filesystem::path& folder) {
  namespace detail = checkpoint_detail;
  const std::filesystem::path path = folder / detail::manifest_name;
  if (!std::filesystem::exists(path)) detail::refuse(path, "checkpoint_manifest", "there is no such file");
  Checkpoint out{.folder = folder, .state = {}, .identity = {}};
  std::vector<std::string> names;
  const auto check_files = [&](const io::Json& files) {
    for (const io::Json& file : files) {
      const auto name = file.at("name").get<std::string>();
      if (name.empty() || name.find('/') != std::string::npos || name == "..") {
        detail::refuse(path, "checkpoint_manifest", "names the file '" + printable(name) + "'");
      }
      const std::filesystem::path at = folder / name;
      std::error_code error;
      const std::uintmax_t bytes = std::filesystem::file_size(at, error);
      if (error) detail::refuse(at, "checkpoint_missing", error.message());
      if (bytes != file.at("bytes").get<std::uint64_t>()) {
        detail::refuse(at, "checkpoint_size",
                       "has " + std::to_string(bytes) + " bytes, " +
                           std::to_string(file.at("bytes").get<std::uint64_t>()) + " were written");
      }
      if (io::sha256_file(at, io::FileRole::model) != file.at("sha256").get<std::string>()) {
        detail::refuse(at, "checkpoint_sha256", "its content is not what was written");
      }
      names.push_back(name);
    }
  };
  try {
    const io::Json manifest = io::parse_json_file(path, io::FileRole::model);
    if (manifest.at("format") != "solopo checkpoint" || manifest.at("version") != 1) {
      detail::refuse(path, "checkpoint_manifest", "is not of this format and version");
    }
    if (manifest.at("sha256") != detail::manifest_digest(manifest)) {
      detail::refuse(path, "checkpoint_manifest", "was changed after it was written");
    }
    out.state = detail::state_from(manifest.at("state"));
    for (const io::Json& entry : manifest.at("identity")) {
      out.identity.emplace_back(entry.at(0).get<std::string>(), entry.at(1).get<std::string>());
    }
    check_files(manifest.at("files"));
  } catch (const io::Json::exception& error) {
    detail::refuse(path, "checkpoint_manifest", error.what());
  } catch (const ModelError& error) {
    if (error.code().starts_with("checkpoint_")) throw;
    detail::refuse(path, "checkpoint_manifest", error.what());
  }
  for (const char* needed : {detail::weights_name, detail::optimizer_name}) {
    if (std::find(names.begin(), names.end(), needed) == names.end()) {
      detail::refuse(path, "checkpoint_manifest", std::string("does not name ") + needed);
    }
  }
  return out;
}

// The newest complete checkpoint; `warn` hears why newer ones were passed over. Nothing when there is none at
// all. Throws ModelError when there are some and all are damaged.
[[nodiscard]] inline std::optional<Checkpoint> newest_checkpoint(
    const std::filesystem::path& run, const std::function<void(const std::string&)>& warn = {}) {
  const std::vector<std::int64_t> steps = list_checkpoints(run);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const std::filesystem::path folder = checkpoint_detail::folder_of(run, *step);
    try {
      Checkpoint found = read_manifest(folder);
      if (found.state.step == *step) return found;
      checkpoint_detail::refuse(folder, "checkpoint_manifest",
                                "holds the state of step " + std::to_string(found.state.step));
    } catch (const Error& error) {
      if (warn) warn(std::string("a damaged checkpoint is passed over: ") + error.what());
    }
  }
  if (!steps.empty()) {
    checkpoint_detail::refuse(run, "checkpoint_none",
                              "none of its " + std::to_string(steps.size()) +
                                  " checkpoints is complete; start into another folder");
  }
  return std::nullopt;
}

// Loads weights and optimiser state. Throws ModelError when tensors are missing or have other shapes; the
// weights are then unchanged.
inline void restore_checkpoint(const Checkpoint& checkpoint, const Parameters& parameters, AdamW& optimizer) {
  namespace detail = checkpoint_detail;
  const io::SafetensorsFile weights(checkpoint.folder / detail::weights_name);
  const io::SafetensorsFile moments(checkpoint.folder / detail::optimizer_name);
  const auto require = [](const io::SafetensorsFile& file, const std::string& name, std::size_t elements) {
    const io::SafetensorsTensor* tensor = file.find(name);
    if (tensor && tensor->elements() == elements) return;
    detail::refuse(file.name(), "checkpoint_tensor",
                   "tensor '" + name + (tensor ? "' has another size than the model's" : "' is missing"));
  };
  for (const TensorSlot& slot : parameters.slots) require(weights, slot.name, slot.size);
  for (const char* name : {"exp_avg", "exp_avg_sq"}) require(moments, name, optimizer.first().size());
  for (const TensorSlot& slot : parameters.slots) {
    weights.read_f32(slot.name, parameters.values.subspan(slot.offset, slot.size));
  }
  moments.read_f32("exp_avg", optimizer.first());
  moments.read_f32("exp_avg_sq", optimizer.second());
  optimizer.set_steps(checkpoint.state.step);
}

// Removes checkpoints but the newest `keep_last` up to `step` and the best. Those after `step` are damaged
// ones that a resumed run passed over. Call after checkpoint `step` is durable.
inline void prune_checkpoints(const std::filesystem::path& run, std::size_t keep_last, std::int64_t step,
                              std::int64_t best_step) {
  const std::vector<std::int64_t> steps = list_checkpoints(run);
  const auto until = std::upper_bound(steps.begin(), steps.end(), step);
  const auto kept = static_cast<std::size_t>(until - steps.begin());
  const std::size_t drop =
      kept > std::max<std::size_t>(keep_last, 1) ? kept - std::max<std::size_t>(keep_last, 1) : 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if ((i < drop || i >= kept) && steps[i] != best_step) {
      checkpoint_detail::remove_folder(checkpoint_detail::folder_of(run, steps[i]));
    }
  }
}

}  // namespace solopo
