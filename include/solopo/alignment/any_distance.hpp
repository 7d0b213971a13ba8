// A distance chosen when the program runs. Still a scalar rule: it holds a number, not a pointer.
#pragma once

#include "solopo/alignment/distance.hpp"
#include "solopo/core/option.hpp"

namespace solopo {

// Equal, bit by bit, to the distance it names.
struct AnyDistance {
  enum class Kind { absolute, squared, huber };
  static constexpr const char* kind_names[] = {"absolute", "squared", "huber"};
  Kind kind = Kind::absolute;
  float delta = 1.0f;  // of huber

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("distance", self.kind, kind_names);
    visit("huber_delta", self.delta, above(0.0f));
  }

  static constexpr bool is_convex = true, is_distance = true;

  template <class T>
  SOLOPO_HD T value(T d) const noexcept {
    if (kind == Kind::squared) return Squared{}.value(d);
    if (kind == Kind::huber) return Huber{delta}.value(d);
    return Absolute{}.value(d);
  }
  template <class T>
  SOLOPO_HD T slope(T d) const noexcept {
    if (kind == Kind::squared) return Squared{}.slope(d);
    if (kind == Kind::huber) return Huber{delta}.slope(d);
    return Absolute{}.slope(d);
  }
};

static_assert(Distance<AnyDistance>);

}  // namespace solopo
