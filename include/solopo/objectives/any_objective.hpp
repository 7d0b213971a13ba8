// An objective chosen when the program runs: types are erased here, above it nothing is a template of one.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "solopo/core/concepts.hpp"
#include "solopo/core/error.hpp"
#include "solopo/objectives/pair_metrics.hpp"

namespace solopo {

// Holds any PreferenceObjective. Copies share the held objective, which never changes.
class AnyObjective {
 public:
  template <PreferenceObjective O>
  AnyObjective(std::string name, O objective)
      : name_(std::move(name)), held_(std::make_shared<const Held<O>>(objective)) {}

  // Loss and derivatives of one pair.
  [[nodiscard]] PairLoss<float> operator()(const Pair<float>& p) const { return held_->loss(p); }
  [[nodiscard]] PairLoss<double> operator()(const Pair<double>& p) const { return held_->loss(p); }

  [[nodiscard]] Needs needs() const noexcept { return held_->needs(); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  // Whether it has an implicit reward, and that reward of a response. reward() throws ArgumentError without
  // one.
  [[nodiscard]] bool has_reward() const noexcept { return held_->has_reward(); }
  [[nodiscard]] bool reward_reads_reference() const noexcept { return held_->reward_reads_reference(); }
  [[nodiscard]] double reward(const Response<double>& y) const {
    if (!has_reward()) throw ArgumentError("objective", name_ + " has no implicit reward");
    return held_->reward(y);
  }
  [[nodiscard]] double reward(const Response<float>& y) const {
    return reward(Response<double>{y.logp, y.ref_logp, y.length});
  }

  // Whether it holds a short-to-long alignment term.
  [[nodiscard]] bool has_alignment() const noexcept { return held_->has_alignment(); }

  // What training reports about a pair besides its loss.
  [[nodiscard]] PairMetrics metrics(const Pair<double>& p) const { return held_->metrics(p); }

 private:
  struct Erased {
    virtual ~Erased() = default;
    virtual PairLoss<float> loss(const Pair<float>&) const = 0;
    virtual PairLoss<double> loss(const Pair<double>&) const = 0;
    virtual PairMetrics metrics(const Pair<double>&) const = 0;
    virtual double reward(const Response<double>&) const = 0;
    virtual Needs needs() const noexcept = 0;
    virtual bool has_reward() const noexcept = 0;
    virtual bool reward_reads_reference() const noexcept = 0;
    virtual bool has_alignment() const noexcept = 0;
  };

  template <class O>
  struct Held final : Erased {
    O objective;
    explicit Held(const O& o) : objective(o) {}

    PairLoss<float> loss(const Pair<float>& p) const override { return objective(p); }
    PairLoss<double> loss(const Pair<double>& p) const override { return objective(p); }
    PairMetrics metrics(const Pair<double>& p) const override { return pair_metrics(objective, p); }
    double reward([[maybe_unused]] const Response<double>& y) const override {
      if constexpr (RewardObjective<O>) {
        return objective.reward().value(y);
      } else {
        return 0;
      }
    }
    Needs needs() const noexcept override { return O::needs; }
    bool has_reward() const noexcept override { return RewardObjective<O>; }
    bool reward_reads_reference() const noexcept override {
      if constexpr (RewardObjective<O>) {
        return std::remove_cvref_t<decltype(objective.reward())>::reads_reference;
      } else {
        return false;
      }
    }
    bool has_alignment() const noexcept override {
      return requires(const O& o, Pair<double> p) { o.alignment(p); };
    }
  };

  std::string name_;
  std::shared_ptr<const Erased> held_;
};

}  // namespace solopo
