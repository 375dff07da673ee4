// Contestants in one run, interleaved, compared by ratio: what the fixture `race` is in Python.
//
// Absolute times depend on the machine and on who else uses it. So every round runs each contestant, right after the
// others, and what is quoted is the median over the rounds: of the CPU time of this thread, and of the ratio within a
// round. Nothing here asserts a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace mediacore::benchmarks {

struct Contestant {
  std::string name;
  std::function<void()> run;
  double amount = 1;  // what one run does, in the race's unit
};

struct Outcome {
  std::string name;
  double ns = 0;     // of one unit
  double ratio = 0;  // to the first contestant, for the whole work: above 1 is slower
};

struct Report {
  std::string title;
  std::string unit;
  std::vector<Outcome> outcomes;
};

inline double thread_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// The first contestant is the one that the others are compared with.
inline Report race(std::string title, std::string unit, const std::vector<Contestant>& contestants, int rounds = 11) {
  constexpr double kRoundNs = 10e6;  // a contestant runs as often per round as fits into this time
  const auto time = [](const Contestant& contestant, int runs) {
    const double begin = thread_ns();
    for (int i = 0; i < runs; ++i) contestant.run();
    return (thread_ns() - begin) / runs;
  };
  std::vector<int> runs;
  for (const Contestant& contestant : contestants) {
    contestant.run();  // warms up
    runs.push_back(std::max(1, static_cast<int>(kRoundNs / std::max(1.0, time(contestant, 1)))));
  }
  const std::size_t count = contestants.size();
  std::vector<std::vector<double>> ns(count);
  std::vector<std::vector<double>> ratios(count);
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> times(count);
    // A different one begins in each round, so that no one always runs in another's wake.
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t turn = (i + static_cast<std::size_t>(round)) % count;
      times[turn] = time(contestants[turn], runs[turn]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      ns[i].push_back(times[i] / contestants[i].amount);
      ratios[i].push_back(times[i] / times[0]);
    }
  }
  Report report{std::move(title), std::move(unit), {}};
  for (std::size_t i = 0; i < count; ++i)
    report.outcomes.push_back({contestants[i].name, median(ns[i]), median(ratios[i])});
  return report;
}

inline void print_table(const std::vector<Report>& reports) {
  for (const Report& report : reports) {
    std::printf("\n%s: CPU time per %s, ratio to %s\n", report.title.c_str(), report.unit.c_str(),
                report.outcomes.front().name.c_str());
    for (const Outcome& outcome : report.outcomes) {
      std::printf("  %-28s %10.1f ns %8.2fx\n", outcome.name.c_str(), outcome.ns, outcome.ratio);
    }
  }
}

// Names hold no character that JSON would want escaped.
inline void print_json(const std::vector<Report>& reports) {
  std::printf("[");
  const char* between = "";
  for (const Report& report : reports) {
    std::printf("%s\n {\"title\": \"%s\", \"unit\": \"%s\", \"contestants\": {", between, report.title.c_str(),
                report.unit.c_str());
    const char* comma = "";
    for (const Outcome& outcome : report.outcomes) {
      std::printf("%s\"%s\": {\"cpu_ns\": %.2f, \"ratio_cpu\": %.4f}", comma, outcome.name.c_str(), outcome.ns,
                  outcome.ratio);
      comma = ", ";
    }
    std::printf("}}");
    between = ",";
  }
  std::printf("\n]\n");
}

// What a benchmark's main ends with: `--json` gives the figures to a program.
inline void print(const std::vector<Report>& reports, bool json) {
  if (json) {
    print_json(reports);
  } else {
    print_table(reports);
  }
}

}  // namespace mediacore::benchmarks
