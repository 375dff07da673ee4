// The sources of one loop thread: reads them, and gives their units to the renditions.
//
// Take-over: a source waits for its first random access unit with an SPS; then it is the current one of its rendition, and
//   the former is closed. Units before that are dropped and counted. One that was added earlier than the current one
//   never takes over from it: it ends then.
// Policy: a source that fails ends with an event, and the others go on. Flushes are never early.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "io/command.hpp"
#include "io/crowd.hpp"
#include "io/poller.hpp"
#include "io/rendition.hpp"
#include "io/source.hpp"
#include "io/wake.hpp"

namespace mediacore::io {

class Intake {
 public:
  static constexpr std::size_t kRemembered = 64;  // pauses of sources that have ended, for those that follow them

  Intake(Renditions& renditions, Poller& poller)
      : renditions_(renditions), poller_(poller), buffer_(Source::kReadBytes) {}

  void add(AddSource command, Wake& wake);
  // `held_back`: as in Source::read.
  void read(Id source, bool held_back, Wake& wake);
  // Flushes what is due.
  void pause(Wake& wake);
  std::int64_t deadline_us() const noexcept;
  // How often sources were read.
  std::uint64_t readings() const noexcept { return readings_; }
  // Since the last call.
  Activity take_activity() noexcept;

  // Quietly. False: there is no such source.
  bool remove(Id source);
  // All of a rendition, which goes.
  void end_all_of(Id rendition, Wake& wake);

  std::uint64_t faults() const noexcept { return faults_; }

 private:
  using Sources = std::unordered_map<Id, Source>;

  enum class Reading : std::uint8_t { as_it_came, held_back, at_deadline };

  void work(Source& source, Wake& wake, Reading reading);
  void give(Source& source, Wake& wake);
  bool give_unit(Source& source, Rendition& rendition, const SourceUnit& unit, Wake& wake);
  void end(Id id, const char* reason, Wake& wake);
  void close(Sources::iterator source);
  h264::BurstFlush flush_for(const AddSource& command) const;

  Renditions& renditions_;
  Poller& poller_;
  Sources sources_;
  std::vector<std::uint8_t> buffer_;
  std::vector<SourceUnit> units_;
  std::vector<Id> due_;
  std::deque<std::pair<Id, h264::BurstFlush>> remembered_;
  std::uint64_t readings_ = 0;
  std::uint64_t faults_ = 0;
};

}  // namespace mediacore::io
