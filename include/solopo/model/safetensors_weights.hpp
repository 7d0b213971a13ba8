// Weights in a Hugging Face folder: model.safetensors, or shards and their index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/safetensors.hpp"
#include "solopo/model/llama_weights.hpp"

namespace solopo {

// Compares what a file has with what a model needs and throws one ModelError "tensors" that lists everything
// missing, unexpected or of another shape.
class TensorCensus {
 public:
  void missing(const std::string& name) { missing_.push_back(name); }
  void unexpected(const std::string& name) { unexpected_.push_back(name); }
  void compare(const std::string& name, const std::vector<std::int64_t>& expected,
               const std::vector<std::int64_t>& actual) {
    if (expected != actual) shapes_.push_back(name + " is " + text(actual) + ", expected " + text(expected));
  }
  void conclude(const std::string& file, const std::string& owner = "the configuration") const {
    if (missing_.empty() && unexpected_.empty() && shapes_.empty()) return;
    throw ModelError("tensors", {.file = file, .field = {}},
                     "the tensors are not those of " + owner + list("missing", missing_) +
                         list("unexpected", unexpected_) + list("wrong shape", shapes_));
  }

 private:
  static std::string text(const std::vector<std::int64_t>& shape) {
    std::string out = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(shape[i]);
    return out + ")";
  }
  static std::string list(const char* title, const std::vector<std::string>& names) {
    if (names.empty()) return {};
    std::string out = std::string("; ") + title + ": ";
    for (std::size_t i = 0; i < names.size() && i < 8; ++i) out += (i > 0 ? ", " : "") + printable(names[i]);
    if (names.size() > 8) out += " and " + std::to_string(names.size() - 8) + " more";
    return out;
  }

  std::vector<std::string> missing_, unexpected_, shapes_;
};

// Reads the weights of `config`'s model; F32, F16, BF16 and F64 become T = float. Every name and shape is
// checked before memory for the weights is taken. With tied embeddings a head in the file is ignored, as
// transformers does. Throws ModelError (see TensorCensus and io/safetensors.hpp).
inline LlamaWeights<float> read_safetensors_weights(const std::filesystem::path& folder,
                                                    const LlamaConfig& config) {
  const io::SafetensorsSet files(folder);
  const LlamaLayout layout(config);
  TensorCensus census;
  for (const TensorSlot& slot : layout.slots()) {
    const io::SafetensorsTensor* found = files.find(slot.name);
    if (found == nullptr)
      census.missing(slot.name);
    else
      census.compare(slot.name, slot.shape, {found->shape.begin(), found->shape.end()});
  }
  std::set<std::string_view> known;
  for (const TensorSlot& slot : layout.slots()) known.insert(slot.name);
  if (config.tie_word_embeddings) known.insert("lm_head.weight");
  for (const io::SafetensorsTensor* tensor : files.tensors())
    // Old checkpoints carry the rotary frequencies, which follow from theta.
    if (!known.contains(tensor->name) && !tensor->name.ends_with("rotary_emb.inv_freq"))
      census.unexpected(tensor->name);
  census.conclude(folder.string());
  LlamaWeights<float> weights(config);
  for (const TensorSlot& slot : layout.slots())
    files.read_f32(slot.name, {weights.data.data() + slot.offset, slot.size});
  return weights;
}

// The weights as tensors for io::write_safetensors, under Hugging Face's names, float32.
inline std::vector<io::TensorToWrite> tensors_to_write(const TensorLayout& layout, const float* data) {
  std::vector<io::TensorToWrite> out;
  for (const TensorSlot& slot : layout.slots())
    out.push_back({slot.name, io::Dtype::F32, {slot.shape.begin(), slot.shape.end()}, data + slot.offset});
  return out;
}

}  // namespace solopo
