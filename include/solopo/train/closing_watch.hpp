// Watches how the gap between short and long reward closes. It should close because the long side rises; when
// the short side falls to meet it, the model gets worse and `stop_short_gradient` or a smaller alpha is due.
#pragma once

#include <cmath>
#include <optional>

namespace solopo {

class ClosingWatch {
 public:
  // What is kept, so that a resumed run goes on as it would have.
  struct State {
    double steps = 0;
    double gap = 0, short_side = 0;              // running means, weight 0.1 for the newest step
    double widest_gap = 0, short_at_widest = 0;  // of the running means, since step 10
    bool warned = false;
  };

  // Takes a step's mean signed gap r_short - r_long and mean r_short. True once: by now the gap has closed by
  // a quarter of its widest, and more than half of that came from the short side falling.
  bool update(double gap, double reward_short) noexcept {
    State& s = state_;
    const double weight = s.steps == 0 ? 1.0 : 0.1;
    s.gap += weight * (gap - s.gap);
    s.short_side += weight * (reward_short - s.short_side);
    s.steps += 1;
    if (s.steps < 10) return false;
    if (s.steps == 10 || std::abs(s.gap) > std::abs(s.widest_gap)) {
      s.widest_gap = s.gap;
      s.short_at_widest = s.short_side;
      return false;
    }
    const std::optional<double> share = long_share();
    if (s.warned || !share || *share >= 0.5) return false;
    return s.warned = true;
  }

  // The share of the closing since the widest gap that came from the long side rising (may leave [0, 1]).
  // Nothing until a quarter of the widest gap has closed, or when the gap is not that of a better short side.
  [[nodiscard]] std::optional<double> long_share() const noexcept {
    const State& s = state_;
    const double closed = s.widest_gap - s.gap;
    if (s.steps < 10 || s.widest_gap <= 0 || closed < 0.25 * s.widest_gap) return std::nullopt;
    return 1 - (s.short_at_widest - s.short_side) / closed;
  }

  [[nodiscard]] const State& state() const noexcept { return state_; }
  void restore(const State& state) noexcept { state_ = state; }

 private:
  State state_;
};

}  // namespace solopo
