// Log-probabilities of the records under the reference, that is the model before training: computed once, by
// the same code path and in the same layout as training, and kept in a file under a key over weights and
// tokens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/safetensors.hpp"
#include "solopo/io/sha256.hpp"
#include "solopo/train/collate.hpp"
#include "solopo/train/parameters.hpp"
#include "solopo/train/policy_model.hpp"
#include "solopo/train/record_reference.hpp"

namespace solopo {

// Summed log-probabilities [nats] for each role, in the order of response_roles, and each record; a role that
// the reference does not run is empty. The statistics are those of an objective that reads some.
struct ReferenceLogps {
  std::array<std::vector<float>, role_count> roles, statistics;

  [[nodiscard]] RecordReference of(std::size_t record) const {
    RecordReference out;
    for (unsigned r = 0; r < role_count; ++r) {
      if (!roles[r].empty()) out.logps[r] = roles[r][record];
      if (!statistics[r].empty()) out.statistics[r] = statistics[r][record];
    }
    return out;
  }
};

namespace reference_detail {

// The names in the file, and the values, of a role's log-probabilities and statistics.
template <class Reference>
auto tensors(Reference& reference, unsigned role) {
  const std::string name = response_roles[role].name;
  return std::array{std::pair(name, &reference.roles[role]),
                    std::pair(name + ".statistic", &reference.statistics[role])};
}

}  // namespace reference_detail

// Runs the model over all records, one a forward. `progress(done, all)` returns false to stop; then nothing
// comes back. Throws NonFiniteError naming the record.
template <PolicyModel Model>
[[nodiscard]] std::optional<ReferenceLogps> compute_reference(
    Model& model, std::span<const PreferenceRecord> records, const CollateOptions& options,
    const std::function<bool(std::size_t, std::size_t)>& progress = {}) {
  ReferenceLogps out;
  Needs run = roles_on(options.needs, Side::reference);
  if (options.third == ThirdResponse::sequence) run = without(run, Needs::third);
  if (run == Needs::none) return out;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (progress && !progress(i, records.size())) return std::nullopt;
    const RecordReference one = score_reference(model, records[i], options);
    for (unsigned r = 0; r < role_count; ++r) {
      if (!has(run, response_roles[r].response)) continue;
      out.roles[r].push_back(one.logps[r]);
      if (has(options.needs, Needs::ref_statistic)) out.statistics[r].push_back(one.statistics[r]);
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
                        std::to_string(options.share_prefix) + "\n" +
                        std::string(long_gradient_name(options.long_gradient)) + "\n" +
                        std::string(passes_name(options.passes)) + "\n" +
                        std::to_string(static_cast<int>(options.statistic)) + "\n" + build);
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
    for (const auto& [name, values] : reference_detail::tensors(out, r)) {
      const io::SafetensorsTensor* tensor = file.find(name);
      if (!tensor) continue;
      if (tensor->elements() != records) return std::nullopt;
      values->resize(records);
      file.read_f32(name, *values);
    }
  }
  return out;
}

// Replaces the cache. Throws IoError; the old file stays then.
inline void write_reference(const std::filesystem::path& path, const std::string& key,
                            const ReferenceLogps& reference) {
  std::vector<io::TensorToWrite> tensors;
  for (unsigned r = 0; r < role_count; ++r) {
    for (const auto& [name, values] : reference_detail::tensors(reference, r)) {
      if (values->empty()) continue;
      tensors.push_back(
          {.name = name, .dtype = io::Dtype::F32, .shape = {values->size()}, .data = values->data()});
    }
  }
  io::write_safetensors(path, tensors, {{"key", key}});
}

}  // namespace solopo
