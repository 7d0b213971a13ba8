// How training tells its surroundings what happens: the library itself never prints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "solopo/train/metrics.hpp"

namespace solopo {

class TrainObserver {
 public:
  virtual ~TrainObserver() = default;

  // Training is about to do steps [first, last).
  virtual void on_begin(std::int64_t /*first*/, std::int64_t /*last*/) {}
  // Reference log-probabilities of `done` of `all` records are there.
  virtual void on_reference(std::size_t /*done*/, std::size_t /*all*/) {}
  // Record `done` of `all` of the present step has gone through the model.
  virtual void on_record(std::size_t /*done*/, std::size_t /*all*/) {}
  // Step `step` (1-based: steps done) is complete.
  virtual void on_step(std::int64_t /*step*/, const Metrics& /*metrics*/) {}
  // The held-out records were evaluated after `step` steps; names begin with eval_.
  virtual void on_eval(std::int64_t /*step*/, const Metrics& /*metrics*/) {}
  // A checkpoint is complete and durable.
  virtual void on_save(std::int64_t /*step*/, const std::filesystem::path& /*folder*/) {}
  // Something a person should know that does not stop the run.
  virtual void on_warning(const std::string& /*message*/) {}
};

}  // namespace solopo
