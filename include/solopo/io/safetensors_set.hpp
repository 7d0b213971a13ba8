// The weights of a Hugging Face folder: model.safetensors, or shards listed by model.safetensors.index.json.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/io/json.hpp"
#include "solopo/io/safetensors_file.hpp"

namespace solopo::io {

// Opens and checks every file before anything is read. Throws ModelError: missing (no weights in the folder),
// index (the list is not of the known form), shard_name (a shard's name is more than a file name),
// missing_shard, shard_tensor (a tensor is not in the shard that should have it, or in one that should not),
// duplicate (a tensor in two shards), and the codes of SafetensorsFile.
class SafetensorsSet {
 public:
  // A folder, or one safetensors file.
  explicit SafetensorsSet(const std::filesystem::path& path) {
    std::error_code error;
    const auto single = path / "model.safetensors", index = path / "model.safetensors.index.json";
    if (!std::filesystem::is_directory(path, error)) {
      files_.emplace_back(path);
    } else if (std::filesystem::exists(single, error)) {
      files_.emplace_back(single);
    } else if (std::filesystem::exists(index, error)) {
      open_shards(path, index);
    } else {
      throw ModelError("missing", {.file = path.string(), .field = {}},
                       "the folder has neither model.safetensors nor model.safetensors.index.json");
    }
    for (std::size_t i = 0; i < files_.size(); ++i) {
      for (const SafetensorsTensor& tensor : files_[i].tensors()) where_.emplace(tensor.name, i);
    }
  }

  [[nodiscard]] const std::vector<SafetensorsFile>& files() const noexcept { return files_; }
  // Tensors of all files, by name.
  [[nodiscard]] std::vector<const SafetensorsTensor*> tensors() const {
    std::vector<const SafetensorsTensor*> all;
    for (const auto& [name, file] : where_) all.push_back(files_[file].find(name));
    return all;
  }
  [[nodiscard]] const SafetensorsTensor* find(std::string_view tensor) const {
    const auto at = where_.find(tensor);
    return at == where_.end() ? nullptr : files_[at->second].find(tensor);
  }
  void read_bytes(std::string_view tensor, std::span<std::byte> out) const {
    file_of(tensor).read_bytes(tensor, out);
  }
  void read_f32(std::string_view tensor, std::span<float> out) const {
    file_of(tensor).read_f32(tensor, out);
  }

 private:
  const SafetensorsFile& file_of(std::string_view tensor) const {
    const auto at = where_.find(tensor);
    return files_[at == where_.end() ? 0 : at->second];  // an unknown name is refused there
  }

  // Only a plain name: nothing outside the folder may be read.
  static bool is_plain_name(std::string_view name) {
    return name.ends_with(".safetensors") && name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
  }

  void open_shards(const std::filesystem::path& folder, const std::filesystem::path& index) {
    const auto refuse = [](const std::string& file, const char* code, const std::string& tensor,
                           const std::string& reason) {
      throw ModelError(code, {.file = file, .field = tensor}, reason);
    };
    const Json document = parse_json_file(index, FileRole::model, {.max_bytes = std::uint64_t{32} << 20});
    const std::string list = index.string();
    if (!document.is_object() || !document.contains("weight_map") || !document["weight_map"].is_object() ||
        document["weight_map"].empty()) {
      refuse(list, "index", "weight_map", "it must be an object that gives each tensor's file");
    }
    std::map<std::string, std::vector<std::string>> shards;  // file name -> its tensors
    for (const auto& [tensor, value] : document["weight_map"].items()) {
      if (!value.is_string()) refuse(list, "index", tensor, "the tensor's file must be a string");
      const auto& name = value.get_ref<const std::string&>();
      if (!is_plain_name(name)) {
        refuse(list, "shard_name", tensor,
               "'" + printable(name) + "' is not the name of a safetensors file beside it");
      }
      shards[name].push_back(tensor);
    }
    std::map<std::string, std::string> seen;  // tensor -> file name
    for (const auto& [name, listed] : shards) {
      const auto path = folder / name;
      std::error_code error;
      if (!std::filesystem::exists(path, error)) {
        refuse(path.string(), "missing_shard", listed.front(),
               "the index names this file, but it is not there");
      }
      const SafetensorsFile& file = files_.emplace_back(path);
      for (const std::string& tensor : listed) {
        if (!file.find(tensor))
          refuse(path.string(), "shard_tensor", tensor, "the index says the tensor is here");
      }
      for (const SafetensorsTensor& tensor : file.tensors()) {
        const auto [other, is_new] = seen.emplace(tensor.name, name);
        if (!is_new)
          refuse(path.string(), "duplicate", tensor.name, "the tensor is in " + other->second + ", too");
        if (!document["weight_map"].contains(tensor.name)) {
          refuse(path.string(), "shard_tensor", tensor.name, "the index does not list the tensor");
        }
      }
    }
  }

  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::size_t, std::less<>> where_;  // tensor -> file
};

}  // namespace solopo::io
