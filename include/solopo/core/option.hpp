// What a user may set of a rule, by name. A rule that has options offers
//   template <class Self, class Visit> static constexpr void each_option(Self& self, Visit&& visit)
// which calls, for each, visit(name, self.member, range) for a number, visit(name, self.member, names) for an
// enumeration whose values count from 0, and visit(name, self.member) for a switch. Command line, listing and
// range checks come from this one place; a default is the member's own.
#pragma once

namespace solopo {

// The numbers an option may have. Always finite.
struct Range {
  float least = -3e38f;
  bool least_allowed = true;
  float greatest = 3e38f;
  bool greatest_allowed = true;

  [[nodiscard]] constexpr bool contains(float x) const noexcept {
    return (x > least || (x == least && least_allowed)) &&
           (x < greatest || (x == greatest && greatest_allowed));
  }
};

inline constexpr Range any_number{};
constexpr Range above(float least) noexcept { return {.least = least, .least_allowed = false}; }
constexpr Range at_least(float least) noexcept { return {.least = least}; }
constexpr Range within(float least, float greatest) noexcept {
  return {.least = least, .greatest = greatest};
}

// Visits the options of a rule; none when it has none.
template <class Rule, class Visit>
constexpr void visit_options(Rule& rule, Visit&& visit) {
  if constexpr (requires { Rule::each_option(rule, visit); }) Rule::each_option(rule, visit);
}

}  // namespace solopo
