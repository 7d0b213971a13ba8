// An objective chosen when the program runs: types are erased here, above it nothing is a template of one.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "solopo/core/concepts.hpp"
#include "solopo/core/error.hpp"
#include "solopo/objectives/pair_metrics.hpp"

namespace solopo {

// An objective's state by name, see ObjectiveState.
using NamedState = std::vector<std::pair<std::string, double>>;

// Holds any Objective. Copies share the held objective, which never changes.
class AnyObjective {
 public:
  using State = NamedState;

  template <Objective O>
  AnyObjective(std::string name, O objective)
      : name_(std::move(name)), held_(std::make_shared<const Held<O>>(objective)) {}

  // Loss and derivatives of one pair; where the objective couples pairs, as a batch of one in a fresh state.
  [[nodiscard]] PairLoss<float> operator()(const Pair<float>& p) const { return held_->loss(p); }
  [[nodiscard]] PairLoss<double> operator()(const Pair<double>& p) const { return held_->loss(p); }

  // Whether pairs must be given to losses() a batch at a time, and states from batch to batch.
  [[nodiscard]] bool is_coupled() const noexcept { return held_->is_coupled(); }
  // See CoupledObjective; of other objectives the state is empty. A state's names are those of
  // initial_state(); one that is missing keeps its initial value.
  [[nodiscard]] NamedState initial_state() const { return held_->initial_state(); }
  [[nodiscard]] NamedState advanced(const NamedState& state, std::span<const Pair<float>> pairs) const {
    return held_->advanced(state, pairs);
  }
  [[nodiscard]] NamedState advanced(const NamedState& state, std::span<const Pair<double>> pairs) const {
    return held_->advanced(state, pairs);
  }
  void losses(std::span<const Pair<float>> pairs, const NamedState& state,
              std::span<PairLoss<float>> out) const {
    held_->losses(pairs, state, out);
  }
  void losses(std::span<const Pair<double>> pairs, const NamedState& state,
              std::span<PairLoss<double>> out) const {
    held_->losses(pairs, state, out);
  }

  [[nodiscard]] ThirdResponse third() const noexcept { return held_->third(); }
  [[nodiscard]] Statistic statistic() const noexcept { return held_->statistic(); }
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
  [[nodiscard]] double reward(const Response<float>& y) const { return reward(converted<double>(y)); }

  // Whether it holds a short-to-long alignment term.
  [[nodiscard]] bool has_alignment() const noexcept { return held_->has_alignment(); }

  // What training reports about a pair besides its loss.
  [[nodiscard]] PairMetrics metrics(const Pair<double>& p) const { return held_->metrics(p); }

 private:
  struct Erased {
    virtual ~Erased() = default;
    virtual PairLoss<float> loss(const Pair<float>&) const = 0;
    virtual PairLoss<double> loss(const Pair<double>&) const = 0;
    virtual bool is_coupled() const noexcept = 0;
    virtual NamedState initial_state() const = 0;
    virtual NamedState advanced(const NamedState&, std::span<const Pair<float>>) const = 0;
    virtual NamedState advanced(const NamedState&, std::span<const Pair<double>>) const = 0;
    virtual void losses(std::span<const Pair<float>>, const NamedState&,
                        std::span<PairLoss<float>>) const = 0;
    virtual void losses(std::span<const Pair<double>>, const NamedState&,
                        std::span<PairLoss<double>>) const = 0;
    virtual PairMetrics metrics(const Pair<double>&) const = 0;
    virtual ThirdResponse third() const noexcept = 0;
    virtual Statistic statistic() const noexcept = 0;
    virtual double reward(const Response<double>&) const = 0;
    virtual Needs needs() const noexcept = 0;
    virtual bool has_reward() const noexcept = 0;
    virtual bool reward_reads_reference() const noexcept = 0;
    virtual bool has_alignment() const noexcept = 0;
  };

  template <class O>
  struct Held final : Erased {
    static_assert(!has(O::needs, Needs::statistic) || statistic_of<O> != Statistic::none,
                  "an objective that needs a statistic says which: static constexpr Statistic statistic");
    static_assert(
        !has(O::needs, Needs::third) || third_of<O> != ThirdResponse::none,
        "an objective that needs a third response says which: static constexpr ThirdResponse third");
    O objective;
    explicit Held(const O& o) : objective(o) {}

    PairLoss<float> loss(const Pair<float>& p) const override { return loss_of(p); }
    PairLoss<double> loss(const Pair<double>& p) const override { return loss_of(p); }
    bool is_coupled() const noexcept override { return CoupledObjective<O>; }
    NamedState initial_state() const override { return named({}); }
    NamedState advanced(const NamedState& state, std::span<const Pair<float>> pairs) const override {
      return advanced_by(state, pairs);
    }
    NamedState advanced(const NamedState& state, std::span<const Pair<double>> pairs) const override {
      return advanced_by(state, pairs);
    }
    void losses(std::span<const Pair<float>> pairs, const NamedState& state,
                std::span<PairLoss<float>> out) const override {
      losses_of(pairs, state, out);
    }
    void losses(std::span<const Pair<double>> pairs, const NamedState& state,
                std::span<PairLoss<double>> out) const override {
      losses_of(pairs, state, out);
    }
    ThirdResponse third() const noexcept override { return third_of<O>; }
    Statistic statistic() const noexcept override { return statistic_of<O>; }
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

   private:
    using State = StateOf<O>;

    static NamedState named(State state) {
      NamedState out;
      State::each_field(state, [&](const char* name, double value) { out.emplace_back(name, value); });
      return out;
    }
    static State unnamed(const NamedState& numbers) {
      State out;
      State::each_field(out, [&](const char* name, double& value) {
        for (const auto& [known, number] : numbers)
          if (known == name) value = number;
      });
      return out;
    }
    template <class T>
    PairLoss<T> loss_of(const Pair<T>& p) const {
      PairLoss<T> out;
      losses_of(std::span<const Pair<T>>(&p, 1), {}, std::span<PairLoss<T>>(&out, 1));
      return out;
    }
    template <class T>
    NamedState advanced_by(const NamedState& state, [[maybe_unused]] std::span<const Pair<T>> pairs) const {
      if constexpr (CoupledObjective<O>) {
        return named(objective.advanced(unnamed(state), pairs));
      } else {
        return state;
      }
    }
    template <class T>
    void losses_of(std::span<const Pair<T>> pairs, [[maybe_unused]] const NamedState& state,
                   std::span<PairLoss<T>> out) const {
      if constexpr (CoupledObjective<O>) {
        objective.losses(pairs, unnamed(state), out);
      } else {
        for (std::size_t i = 0; i < pairs.size(); ++i) out[i] = objective(pairs[i]);
      }
    }
  };

  std::string name_;
  std::shared_ptr<const Erased> held_;
};

}  // namespace solopo
