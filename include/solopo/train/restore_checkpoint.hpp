// Goes back to a saved state: the newest checkpoint that is whole, its weights and the optimiser's state.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/input_file.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/safetensors.hpp"
#include "solopo/train/checkpoint_folders.hpp"
#include "solopo/train/checkpoint_state.hpp"
#include "solopo/train/optimizer.hpp"
#include "solopo/train/parameters.hpp"

namespace solopo {

namespace checkpoint_detail {

// Throws IoError where the system does not say.
inline bool is_there(const std::filesystem::path& file) {
  std::error_code error;
  const bool found = std::filesystem::exists(file, error);
  if (error) throw IoError("look for", file.string(), error.value(), error.message());
  return found;
}

}  // namespace checkpoint_detail

// Reads the manifest and checks size and SHA-256 of every file it names. Throws ModelError with a code that
// begins with "checkpoint_" for damage: manifest, missing, size, sha256. What the system fails to read may be
// whole: then it throws IoError, or ModelError with the code unreadable.
[[nodiscard]] inline Checkpoint read_manifest(const std::filesystem::path& folder) {
  namespace detail = checkpoint_detail;
  const std::filesystem::path path = folder / detail::manifest_name;
  if (!detail::is_there(path)) detail::refuse(path, "checkpoint_manifest", "there is no such file");
  Checkpoint out{.folder = folder, .state = {}, .identity = {}};
  std::vector<std::string> names;
  const auto check_files = [&](const io::Json& files) {
    for (const io::Json& file : files) {
      const auto name = file.at("name").get<std::string>();
      if (name.empty() || name.find('/') != std::string::npos || name == "..") {
        detail::refuse(path, "checkpoint_manifest", "names the file '" + printable(name) + "'");
      }
      const std::filesystem::path at = folder / name;
      if (!detail::is_there(at)) detail::refuse(at, "checkpoint_missing", "there is no such file");
      const std::uint64_t bytes = io::InputFile(at, io::FileRole::model).size();
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
    if (error.code().starts_with("checkpoint_") || error.code() == "unreadable") throw;
    detail::refuse(path, "checkpoint_manifest", error.what());
  }
  // Whose weights they are is for restore_checkpoint() to ask.
  for (const char* needed : {"model.safetensors", detail::optimizer_name}) {
    if (std::none_of(names.begin(), names.end(), [&](const auto& name) { return name.ends_with(needed); })) {
      detail::refuse(path, "checkpoint_manifest", std::string("does not name ") + needed);
    }
  }
  return out;
}

// The newest complete checkpoint; `warn` hears why newer ones, which are damaged, were passed over. Nothing
// when there is none at all. Throws ModelError when there are some and all are damaged, and what
// read_manifest() throws for one that the system fails to read.
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
    } catch (const ModelError& error) {
      if (!error.code().starts_with("checkpoint_")) throw;
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

// Loads weights and optimiser state, and the weights of a reference that changes in training. Throws
// ModelError when tensors are missing or have other shapes; the weights are then unchanged.
inline void restore_checkpoint(const Checkpoint& checkpoint, const Parameters& parameters, AdamW& optimizer,
                               const Parameters* reference = nullptr) {
  namespace detail = checkpoint_detail;
  const auto require_file = [&](const char* name) {
    const std::filesystem::path file = checkpoint.folder / name;
    if (!detail::is_there(file)) detail::refuse(file, "checkpoint_missing", "there is no such file");
    return file;
  };
  const io::SafetensorsFile weights(require_file(parameters.file));
  const io::SafetensorsFile moments(checkpoint.folder / detail::optimizer_name);
  const auto require = [](const io::SafetensorsFile& file, const std::string& name, std::size_t elements) {
    const io::SafetensorsTensor* tensor = file.find(name);
    if (tensor && tensor->elements() == elements) return;
    detail::refuse(file.name(), "checkpoint_tensor",
                   "tensor '" + name + (tensor ? "' has another size than the model's" : "' is missing"));
  };
  std::optional<io::SafetensorsFile> reference_weights;
  if (reference) {
    reference_weights.emplace(require_file(detail::reference_name));
    for (const TensorSlot& slot : reference->slots) require(*reference_weights, slot.name, slot.size);
  }
  for (const TensorSlot& slot : parameters.slots) require(weights, slot.name, slot.size);
  for (const char* name : {"exp_avg", "exp_avg_sq"}) require(moments, name, optimizer.first().size());
  const auto read = [](const io::SafetensorsFile& file, const Parameters& into) {
    for (const TensorSlot& slot : into.slots)
      file.read_f32(slot.name, into.values.subspan(slot.offset, slot.size));
  };
  read(weights, parameters);
  if (reference) read(*reference_weights, *reference);
  moments.read_f32("exp_avg", optimizer.first());
  moments.read_f32("exp_avg_sq", optimizer.second());
  optimizer.set_steps(checkpoint.state.step);
}

}  // namespace solopo
