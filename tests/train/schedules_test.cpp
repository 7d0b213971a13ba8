#include "solopo/train/schedules.hpp"

#include <limits>

#include "catch.hpp"

using namespace solopo;

TEST_CASE("Warmup rises in equal parts, moves from the first step, and the peak follows it") {
  const Schedule s{.peak = 1.0, .shape = ScheduleShape::cosine, .warmup_steps = 3, .steps = 10};
  CHECK(s(0) == Approx(0.25));
  CHECK(s(1) == Approx(0.5));
  CHECK(s(2) == Approx(0.75));
  CHECK(s(3) == Approx(1.0));
  CHECK(s(4) < 1.0);
}

TEST_CASE("The shapes have their values at the start, the middle and the end") {
  const auto at = [](ScheduleShape shape, std::int64_t step, double minimum = 0) {
    return Schedule{
        .peak = 2.0, .shape = shape, .warmup_steps = 0, .steps = 8, .minimum_ratio = minimum}(step);
  };
  CHECK(at(ScheduleShape::constant, 0) == 2.0);
  CHECK(at(ScheduleShape::constant, 7) == 2.0);
  CHECK(at(ScheduleShape::linear, 4) == Approx(1.0));
  CHECK(at(ScheduleShape::linear, 6) == Approx(0.5));
  CHECK(at(ScheduleShape::cosine, 4) == Approx(1.0));
  CHECK(at(ScheduleShape::cosine, 2) == Approx(1 + 0.70710678118654752));
  CHECK(at(ScheduleShape::cosine, 8) == Approx(0).margin(1e-12));
  CHECK(at(ScheduleShape::cosine, 8, 0.1) == Approx(0.2));
  CHECK(at(ScheduleShape::linear, 100, 0.1) == Approx(0.2));
}

TEST_CASE("Warmup is a share below 1 and a number of steps from 1 on") {
  CHECK(warmup_steps(0, 10) == 0);
  CHECK(warmup_steps(0.1, 40) == 4);
  CHECK(warmup_steps(0.1, 41) == 5);
  CHECK(warmup_steps(3, 40) == 3);
  CHECK(warmup_steps(0.9, 1) == 0);
  CHECK_THROWS_AS(warmup_steps(40, 40), ArgumentError);
  CHECK_THROWS_AS(warmup_steps(-1, 40), ArgumentError);
  CHECK_THROWS_AS(warmup_steps(std::numeric_limits<double>::quiet_NaN(), 40), ArgumentError);
}

TEST_CASE("A schedule's name leads back to its shape") {
  for (const ScheduleShape shape : {ScheduleShape::constant, ScheduleShape::linear, ScheduleShape::cosine}) {
    CHECK(find_schedule_shape(schedule_name(shape)) == shape);
  }
  CHECK_FALSE(find_schedule_shape("step").has_value());
}
