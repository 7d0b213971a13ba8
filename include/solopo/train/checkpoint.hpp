// Saves a run's state: a folder checkpoint-<step>/ with a model folder, the optimiser's state and a manifest
// with size and SHA-256 of every file. It gets its name only when all of it is durable.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/atomic_file.hpp"
#include "solopo/io/input_file.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/safetensors.hpp"
#include "solopo/train/checkpoint_folders.hpp"
#include "solopo/train/checkpoint_state.hpp"
#include "solopo/train/optimizer.hpp"
#include "solopo/train/parameters.hpp"

namespace solopo {

// Writes the model's files (weights, configuration, tokenizer) into a folder.
using ModelWriter = std::function<void(const std::filesystem::path&)>;

namespace checkpoint_detail {

inline void write_weights(const std::filesystem::path& file, const Parameters& parameters) {
  std::vector<io::TensorToWrite> tensors;
  for (const TensorSlot& slot : parameters.slots) {
    tensors.push_back({.name = slot.name,
                       .dtype = io::Dtype::F32,
                       .shape = {slot.shape.begin(), slot.shape.end()},
                       .data = parameters.values.data() + slot.offset});
  }
  io::write_safetensors(file, tensors, {{"format", "pt"}});
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
// `reference` holds the weights of a reference that changes in training. Throws IoError, and then leaves what
// was there before. Throws NonFiniteError for weights that are not finite.
inline std::filesystem::path write_checkpoint(const std::filesystem::path& run, const TrainState& state,
                                              const RunIdentity& identity, const Parameters& parameters,
                                              const AdamW& optimizer, const ModelWriter& write_model = {},
                                              const Parameters* reference = nullptr) {
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
      detail::write_weights(temporary / parameters.file, parameters);
    }
    if (reference) detail::write_weights(temporary / detail::reference_name, *reference);
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

}  // namespace solopo
