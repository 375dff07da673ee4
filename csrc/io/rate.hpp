// How many units and bytes per second, over the last two seconds.
//
// Policy: counts are kept by steps of kStepUs. What began less than the window ago is divided by the time since then, by
//   kShortestUs at least.
// Threads: one owner.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace mediacore::io {

class Rate {
 public:
  static constexpr std::int64_t kWindowUs = 2'000'000;
  static constexpr std::int64_t kStepUs = 125'000;
  static constexpr std::int64_t kShortestUs = 500'000;

  struct PerSecond {
    double units = 0;
    double bits = 0;
  };

  void add(std::int64_t now_us, std::size_t bytes) noexcept {
    advance(now_us);
    if (began_us_ < 0) began_us_ = now_us;
    Step& step = steps_[static_cast<std::size_t>(step_) % kSteps];
    ++step.units;
    step.bytes += bytes;
  }

  PerSecond measure(std::int64_t now_us) noexcept {
    if (began_us_ < 0) return {};
    advance(now_us);
    Step sum;
    for (const Step& step : steps_) {
      sum.units += step.units;
      sum.bytes += step.bytes;
    }
    const double seconds = static_cast<double>(std::clamp(now_us - began_us_, kShortestUs, kWindowUs)) / 1e6;
    return {.units = static_cast<double>(sum.units) / seconds, .bits = static_cast<double>(sum.bytes) * 8 / seconds};
  }

 private:
  static constexpr std::size_t kSteps = kWindowUs / kStepUs;

  struct Step {
    std::uint64_t units = 0;
    std::uint64_t bytes = 0;
  };

  void advance(std::int64_t now_us) noexcept {
    const std::int64_t step = now_us / kStepUs;
    if (step - step_ >= static_cast<std::int64_t>(kSteps)) steps_.fill({});
    for (std::int64_t s = std::max(step_ + 1, step - static_cast<std::int64_t>(kSteps)); s <= step; ++s) {
      steps_[static_cast<std::size_t>(s) % kSteps] = {};
    }
    step_ = std::max(step_, step);
  }

  std::array<Step, kSteps> steps_{};
  std::int64_t step_ = 0;
  std::int64_t began_us_ = -1;
};

}  // namespace mediacore::io
