// Log-probabilities of the records under the reference, that is the model before training: computed once, by
// the same code path and in the same layout as training, and kept in a file under a key over weights and
// tokens.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/safetensors.hpp"
#include "solopo/io/sha256.hpp"
#include "solopo/train/collate.hpp"
#include "solopo/train/parameters.hpp"
#include "solopo/train/policy_model.hpp"

namespace solopo {

// Summed log-probabilities [nats] for each role, in the order of response_roles, and each record; a role that
// the reference does not run is empty.
struct ReferenceLogps {
  std::array<std::vector<float>, role_count> roles;
};

// Runs the model over all records, one a forward. `progress(done, all)` returns false to stop; then nothing
// comes back. Throws NonFiniteError naming the record.
template <PolicyModel Model>
[[nodiscard]] std::optional<ReferenceLogps> compute_reference(
    Model& model, std::span<const PreferenceRecord> records, const CollateOptions& options,
    const std::function<bool(std::size_t, std::size_t)>& progress = {}) {
  ReferenceLogps out;
  if (roles_on(options.needs, Side::reference) == Needs::none) return out;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (progress && !progress(i, records.size())) return std::nullopt;
    const Collated batch = collate(records[i], options, Side::reference);
    const std::vector<float> logps = model.response_logps(batch.sequences);
    for (unsigned r = 0; r < role_count; ++r) {
      if (batch.responses[r] < 0) continue;
      const float logp = logps[static_cast<std::size_t>(batch.responses[r])];
      if (!std::isfinite(logp)) {
        throw NonFiniteError("reference log-probability of " + std::string(response_roles[r].name) +
                             " of record '" + printable(records[i].id) + "' is " + std::to_string(logp));
      }
      out.roles[r].push_back(logp);
    }
  }
  if (progress) progress(records.size(), records.size());
  return out;
}

// SHA-256 over the weights' names, shapes and bits.
[[nodiscard]] inline std::string weights_digest(const Parameters& parameters) {
  io::Sha256 hash;
  for (const TensorSlot& slot : parameters.slots) {
    hash.update(slot.name);
    hash.update("\n", 1);
    hash.update(slot.shape.data(), slot.shape.size() * sizeof(slot.shape[0]));
    hash.update(parameters.values.data() + slot.offset, slot.size * sizeof(float));
  }
  return hash.hex();
}

// SHA-256 over all that training reads of the records, in order.
[[nodiscard]] inline std::string records_digest(std::span<const PreferenceRecord> records) {
  io::Sha256 hash;
  for (const PreferenceRecord& record : records) {
    hash.update(record.id);
    for (const auto* ids :
         {&record.prompt, &record.prompt_long, &record.chosen, &record.rejected, &record.third}) {
      const std::uint64_t size = ids->size();
      hash.update(&size, sizeof size);
      hash.update(ids->data(), ids->size() * sizeof(std::int32_t));
    }
    for (const float number : {record.score_chosen, record.score_rejected, record.label})
      hash.update(&number, sizeof number);
  }
  return hash.hex();
}

// What reference log-probabilities depend on. `build` names whatever else changes their bits (instruction
// set, matrix library, threads, the model's settings), so that another program's cache is computed again.
[[nodiscard]] inline std::string reference_key(const std::string& weights, const std::string& records,
                                               const CollateOptions& options, const std::string& build) {
  return io::sha256_hex("solopo reference 2\n" + weights + "\n" + records + "\n" +
                        std::to_string(static_cast<unsigned>(roles_on(options.needs, Side::reference))) +
                        "\n" + std::to_string(pair_reads_long(options.context, Side::reference)) + "\n" +
                        std::to_string(options.share_prefix) + "\n" + build);
}

// The cached log-probabilities, when the file is there and was written under this key. A damaged file throws
// ModelError, as a file of another key gives nothing: either way they are computed again.
[[nodiscard]] inline std::optional<ReferenceLogps> read_reference(const std::filesystem::path& path,
                                                                  const std::string& key,
                                                                  std::size_t records) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const io::SafetensorsFile file(path);
  const auto found = file.metadata().find("key");
  if (found == file.metadata().end() || found->second != key) return std::nullopt;
  ReferenceLogps out;
  for (unsigned r = 0; r < role_count; ++r) {
    const io::SafetensorsTensor* tensor = file.find(response_roles[r].name);
    if (!tensor) continue;
    if (tensor->elements() != records) return std::nullopt;
    out.roles[r].resize(records);
    file.read_f32(response_roles[r].name, out.roles[r]);
  }
  return out;
}

// Replaces the cache. Throws IoError; the old file stays then.
inline void write_reference(const std::filesystem::path& path, const std::string& key,
                            const ReferenceLogps& reference) {
  std::vector<io::TensorToWrite> tensors;
  for (unsigned r = 0; r < role_count; ++r) {
    if (reference.roles[r].empty()) continue;
    tensors.push_back({.name = response_roles[r].name,
                       .dtype = io::Dtype::F32,
                       .shape = {reference.roles[r].size()},
                       .data = reference.roles[r].data()});
  }
  io::write_safetensors(path, tensors, {{"key", key}});
}

}  // namespace solopo
