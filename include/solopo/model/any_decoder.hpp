// Generation by an engine that is chosen when the program runs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "solopo/model/basic_decoder.hpp"
#include "solopo/model/llama_config.hpp"

namespace solopo {

// A DecoderEngine (basic_decoder.hpp) behind an interface.
class DecoderEngineBase {
 public:
  virtual ~DecoderEngineBase() = default;
  [[nodiscard]] virtual const LlamaConfig& config() const = 0;
  [[nodiscard]] virtual std::int32_t read_chunk() const = 0;
  virtual void reserve(std::int32_t rows, std::int32_t positions) = 0;
  virtual void run(const DecoderRows& rows) = 0;
  virtual void logits(std::int32_t first, std::int32_t n, std::vector<float>& logits) = 0;
  [[nodiscard]] virtual std::vector<ChosenToken> greedy(std::int32_t n) = 0;
  [[nodiscard]] virtual std::vector<double> logps(std::span<const std::int32_t> targets) = 0;
};

// Engine with its arguments.
template <DecoderEngine Engine>
class ErasedDecoderEngine final : public DecoderEngineBase {
 public:
  template <class... Args>
  explicit ErasedDecoderEngine(Args&&... args) : engine_(std::forward<Args>(args)...) {}

  [[nodiscard]] const LlamaConfig& config() const override { return engine_.config(); }
  [[nodiscard]] std::int32_t read_chunk() const override { return engine_.read_chunk(); }
  void reserve(std::int32_t rows, std::int32_t positions) override { engine_.reserve(rows, positions); }
  void run(const DecoderRows& rows) override { engine_.run(rows); }
  void logits(std::int32_t first, std::int32_t n, std::vector<float>& logits) override {
    engine_.logits(first, n, logits);
  }
  [[nodiscard]] std::vector<ChosenToken> greedy(std::int32_t n) override { return engine_.greedy(n); }
  [[nodiscard]] std::vector<double> logps(std::span<const std::int32_t> targets) override {
    return engine_.logps(targets);
  }

 private:
  Engine engine_;
};

class AnyDecoderEngine {
 public:
  explicit AnyDecoderEngine(std::unique_ptr<DecoderEngineBase> engine) : engine_(std::move(engine)) {}

  [[nodiscard]] const LlamaConfig& config() const { return engine_->config(); }
  [[nodiscard]] std::int32_t read_chunk() const { return engine_->read_chunk(); }
  void reserve(std::int32_t rows, std::int32_t positions) { engine_->reserve(rows, positions); }
  void run(const DecoderRows& rows) { engine_->run(rows); }
  void logits(std::int32_t first, std::int32_t n, std::vector<float>& logits) {
    engine_->logits(first, n, logits);
  }
  [[nodiscard]] std::vector<ChosenToken> greedy(std::int32_t n) { return engine_->greedy(n); }
  [[nodiscard]] std::vector<double> logps(std::span<const std::int32_t> targets) {
    return engine_->logps(targets);
  }

 private:
  std::unique_ptr<DecoderEngineBase> engine_;
};

using AnyDecoder = BasicDecoder<AnyDecoderEngine>;

}  // namespace solopo
